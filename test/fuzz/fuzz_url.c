/* fuzz_url.c - parts stay inside the text, and a WebSocket URL makes a request that is accepted. */
#include "wire/url.h"
#include "wire/ws_upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(netron_str part, netron_str text)
{
    bool is_default = part.size == 0 || netron_eq(part, netron_s("/"));
    NT_ASSERT(
        is_default || (part.data >= text.data && part.data + part.size <= text.data + text.size));
}

static void check_request(const nt_url *url)
{
    static const uint8_t nonce[NT_WS_NONCE_SIZE] = {1, 2, 3};
    char request[NT_WS_REQUEST_MAX];
    nt_http_head head;
    nt_ws_offer offer;
    const char *why = NULL;
    size_t size = nt_ws_request_write(request, url, url->address, nonce);
    nt_slice in = {(const uint8_t *)request, size};
    NT_ASSERT(nt_http_request_read(&head, in, &why) == NT_STEP_DONE && head.size == size);
    NT_ASSERT(nt_ws_offer_read(&offer, &head, &why) == 0 && offer.has_netron);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    netron_str text = {(const char *)data, size};
    nt_url url;
    if (nt_url_parse(&url, text) != NETRON_OK)
        return 0;
    NT_ASSERT(size <= NT_URL_MAX);
    check_inside(url.scheme, text);
    check_inside(url.address, text);
    check_inside(url.host, text);
    check_inside(url.path, text);
    if (netron_eq(url.scheme, netron_s("ws")))
        check_request(&url);
    return 0;
}
