/* fuzz_version.c - an input of up to three lines: a range, a version, another version or a service
 * id. Order is an order, and an exact range matches its own version. */
#include "service/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static netron_str take_line(netron_str *rest)
{
    const char *end = rest->size != 0 ? memchr(rest->data, '\n', rest->size) : NULL;
    netron_str line = {rest->data, end != NULL ? (size_t)(end - rest->data) : rest->size};
    size_t step = end != NULL ? line.size + 1 : line.size;
    *rest = (netron_str){rest->size != 0 ? rest->data + step : NULL, rest->size - step};
    return line;
}

static void check_versions(netron_str range_text, netron_str a_text, netron_str b_text)
{
    nt_range range, exact;
    nt_version a, b;
    if (nt_version_parse(a_text, &a) != NETRON_OK)
        return;
    if (nt_range_parse(range_text, &range) == NETRON_OK)
        (void)nt_range_matches(&range, &a);
    NT_ASSERT(nt_version_compare(&a, &a) == 0);
    NT_ASSERT(nt_range_parse(a_text, &exact) == NETRON_OK && nt_range_matches(&exact, &a));
    if (nt_version_parse(b_text, &b) != NETRON_OK)
        return;
    int order = nt_version_compare(&a, &b);
    int reverse = nt_version_compare(&b, &a);
    NT_ASSERT((order > 0) == (reverse < 0) && (order == 0) == (reverse == 0));
    NT_ASSERT(nt_range_matches(&exact, &b) == (order == 0));
}

static void check_id(netron_str text)
{
    char id[512];
    netron_str name, version;
    if (text.size >= sizeof id)
        return;
    if (text.size != 0)
        memcpy(id, text.data, text.size);
    id[text.size] = '\0';
    if (nt_service_id_split(id, &name, &version) != NETRON_OK)
        return;
    NT_ASSERT(nt_service_name_check(name) == NETRON_OK);
    nt_version parsed;
    NT_ASSERT(version.size == 0 || nt_version_parse(version, &parsed) == NETRON_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    netron_str rest = {(const char *)data, size};
    netron_str range = take_line(&rest);
    netron_str a = take_line(&rest);
    netron_str b = take_line(&rest);
    check_versions(range, a, b);
    check_id(b);
    return 0;
}
