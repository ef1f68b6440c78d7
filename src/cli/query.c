#include "cli/query.h"

#include "cli/hint.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/session.h"

static enum regtag_status step_to_end(const struct query *q, const struct options *o, struct regtag *r)
{
    const char *error = "";
    bool told = false; /* of the failure, with a tag */
    enum regtag_event event = q->begin(r, o) == REGTAG_OK ? REGTAG_WAIT : REGTAG_ERROR;
    while (event != REGTAG_DONE && event != REGTAG_ERROR) {
        event = session_step(r);
        if (event != REGTAG_LISTED)
            continue;
        told = told || regtag_result(r)->status != REGTAG_OK;
        if (!q->on_listed(o, regtag_result(r)) || output_problem())
            break;
    }
    session_close();
    enum regtag_status status = regtag_error(r, &error);
    error = hint_message(error, (int)regtag_hint(r));
    if (q->on_end)
        q->on_end(o, r, status, error);
    if (status != REGTAG_OK && !told)
        output_error(error);
    return status;
}

int query_run(const struct query *q, const struct options *o, uint64_t deadline)
{
    struct error e;
    error_clear(&e);
    bool logged_in = session_login(o->arguments[0], deadline, &e);
    struct regtag_config config = session_config(deadline);
    struct regtag *r = session_operation(&config);
    if (logged_in)
        return (int)step_to_end(q, o, r);
    if (q->on_end)
        q->on_end(o, r, (enum regtag_status)e.status, hint_message(e.text, e.hint));
    report_problem(&e);
    return e.status;
}
