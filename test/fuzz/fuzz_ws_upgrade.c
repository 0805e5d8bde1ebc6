/* fuzz_ws_upgrade.c - whatever is answered to a request is a response that a client can read, and
 * the client that asked accepts it. */
#include "wire/ws_upgrade.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static nt_http_head read_response(const char *text, size_t size)
{
    nt_http_head head = {0};
    const char *why = NULL;
    nt_slice in = {(const uint8_t *)text, size};
    NT_ASSERT(size != 0 && nt_http_response_read(&head, in, &why) == NT_STEP_DONE);
    return head;
}

static void check_request(const nt_http_head *head)
{
    char response[NT_WS_RESPONSE_MAX];
    nt_ws_offer offer;
    const char *why = NULL;
    unsigned status = nt_ws_offer_read(&offer, head, &why);
    if (status != 0) {
        size_t size = nt_ws_refusal_write(response, status, why);
        NT_ASSERT(read_response(response, size).status == status);
        return;
    }
    nt_http_head answer = read_response(response, nt_ws_accept_write(response, &offer));
    NT_ASSERT(answer.status == 101);
    const nt_slice *selected = nt_http_get(&answer, "sec-websocket-protocol");
    NT_ASSERT((selected != NULL) == (offer.subprotocol.len != 0));
    if (selected != NULL)
        NT_ASSERT(offer.has_netron == nt_slice_is(*selected, NT_WS_SUBPROTOCOL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t nonce[NT_WS_NONCE_SIZE + 1] = "the sample nonce";
    nt_slice in = {data, size};
    nt_http_head head = {0};
    const char *why = NULL;
    bool has_netron = false;
    if (nt_http_request_read(&head, in, &why) == NT_STEP_DONE)
        check_request(&head);
    if (nt_http_response_read(&head, in, &why) == NT_STEP_DONE &&
        nt_ws_response_check(&head, nonce, &has_netron) == NETRON_OK)
        NT_ASSERT(head.status == 101);
    return 0;
}
