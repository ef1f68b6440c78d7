#include "cli/expect.h"

#include "base/sizes.h"
#include "base/slice.h"

bool expect_applies(const char *guard, const char *const *names, size_t count)
{
    struct slice rest = slice_of(guard), name = slice_split(&rest, '=');
    size_t i = 0;
    while (rest.data && i < count && !slice_equal(name, slice_of(names[i])))
        i++;
    return !rest.data || i < count;
}

void expect_select(struct regtag_config *config, const char *const *names, size_t count)
{
    static const char *selected[EXPECTED_MAX];
    size_t found = 0;
    for (size_t i = 0; i < config->expected_count; i++)
        if (expect_applies(config->expected[i], names, count))
            selected[found++] = config->expected[i];
    config->expected = selected;
    config->expected_count = found;
}
