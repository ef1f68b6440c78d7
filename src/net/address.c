#include "net/address.h"

#include <string.h>

bool address_parse(struct regtag_address *a, struct slice text)
{
    char copy[REGTAG_ADDRESS_TEXT_MAX];
    if (text.size == 0 || text.size >= sizeof copy || slice_find(text, '\0') < text.size)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return regtag_address_parse(a, copy);
}
