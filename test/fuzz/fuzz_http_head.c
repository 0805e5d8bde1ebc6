/* fuzz_http_head.c - a head is the same whatever follows it, and unfinished without its last byte. */
#include "base/assert.h"
#include "wire/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef nt_step read_fn(nt_http_head *out, nt_slice in, const char **why);

static void walk_fields(const nt_http_head *head)
{
    for (size_t i = 0; i < head->count; i++) {
        NT_ASSERT(nt_http_is_token(head->fields[i].name));
        nt_slice name = head->fields[i].name;
        char copy[64];
        if (name.len >= sizeof copy)
            continue;
        memcpy(copy, name.ptr, name.len);
        copy[name.len] = '\0';
        NT_ASSERT(nt_http_get(head, copy) != NULL);
        nt_http_list list = {.head = head, .name = copy};
        nt_slice element;
        while (nt_http_list_next(&list, &element))
            NT_ASSERT(element.len != 0);
    }
}

static void check_head(read_fn *read, nt_slice in)
{
    nt_http_head head, again;
    const char *why = NULL;
    nt_step step = read(&head, in, &why);
    NT_ASSERT((step == NT_STEP_BAD) == (why != NULL));
    if (step != NT_STEP_DONE)
        return;
    NT_ASSERT(head.size <= in.len && head.size <= NT_HTTP_HEAD_MAX);
    NT_ASSERT(head.count <= NT_HTTP_FIELDS_MAX);
    NT_ASSERT(read(&again, (nt_slice){in.ptr, head.size}, &why) == NT_STEP_DONE);
    NT_ASSERT(again.size == head.size && again.count == head.count);
    NT_ASSERT(read(&again, (nt_slice){in.ptr, head.size - 1}, &why) == NT_STEP_MORE);
    walk_fields(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_head(nt_http_request_read, (nt_slice){data, size});
    check_head(nt_http_response_read, (nt_slice){data, size});
    return 0;
}
