#include "client/pipeline.h"

#define SILENCE_MIN 2000u /* milliseconds */

bool pipeline_takes(const struct remote *r, const struct connection *c,
                    const struct regtag_origin *origin)
{
    bool tried = c->count < 2 || !auth_is_unproven(&r->auth);
    return remote_pipelines(r) && tried && (c->used || !r->careful) &&
           connection_can_pipeline(c, origin);
}

bool pipeline_has_lost(const struct transfer *t)
{
    return !t->answered && (t->pipelined || (t->followers > 1 && t->sent));
}

/* A connection that has carried some answers of a pipeline may have ended for other reasons. */
void pipeline_broke(struct remote *r, const struct connection *c, bool lost)
{
    if (lost && !c->cut_short)
        return;
    r->careful = true;
    r->alone = r->alone || c->answers == 0;
}

bool pipeline_is_refused(const struct http_response *response, const struct answer_words *words)
{
    struct slice text = {words->text, words->size};
    return response->status == 400 && !response->keep_alive &&
           !slice_contains(text, SLICE("\"errors\""));
}

uint64_t pipeline_patience(const struct remote *r)
{
    uint64_t patience = r->answer_time * (uint64_t)4;
    return patience > SILENCE_MIN ? patience : SILENCE_MIN;
}
