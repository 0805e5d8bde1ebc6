/* fuzz_json.c - what was read is written as JSON that reads and writes back the same. */
#include <netron/value.h>

#include "base/assert.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    netron_scope_auto(scope);
    netron_value value, again;
    netron_err err = netron_value_parse(&scope, (netron_str){(const char *)data, size}, &value);
    NT_ASSERT(err == NETRON_OK || err == NETRON_INVALID);
    if (err != NETRON_OK)
        return 0;
    const char *text = netron_value_json(&scope, &value);
    NT_ASSERT(text != NULL && nt_utf8_valid(text, strlen(text)));
    NT_ASSERT(netron_value_parse(&scope, netron_s(text), &again) == NETRON_OK);
    const char *same = netron_value_json(&scope, &again);
    NT_ASSERT(same != NULL && strcmp(text, same) == 0);
    return 0;
}
