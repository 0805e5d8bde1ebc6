/* with_logging.c - a line in the node's log for each request: netron_use_logging(). */
#include "peer/chain.h"

#include "base/error.h"
#include "base/utf8.h"
#include "service/node.h"

#include <stdlib.h>

enum { SHOWN_BYTES = 200, DECODED_BYTES = 4096 };

typedef struct logging {
    netron *node;
    netron_log_level level;
} logging;

static const char *verb(const netron_invocation *inv)
{
    static const char *const served[] = {[NETRON_INVOKED_CALL] = "served",
        [NETRON_INVOKED_GET] = "gave",
        [NETRON_INVOKED_SET] = "set",
        [NETRON_INVOKED_STREAM] = "streamed",
        [NETRON_INVOKED_EVENT] = "emitted"};
    static const char *const asked[] = {[NETRON_INVOKED_CALL] = "called",
        [NETRON_INVOKED_GET] = "read",
        [NETRON_INVOKED_SET] = "wrote",
        [NETRON_INVOKED_STREAM] = "opened",
        [NETRON_INVOKED_EVENT] = "heard"};
    return inv->side == NETRON_SERVER ? served[inv->kind] : asked[inv->kind];
}

/* What is large is not decoded for a line that would cut it anyway. */
static netron_str shown(const char *json, size_t encoded)
{
    netron_str text = netron_s(encoded <= DECODED_BYTES ? json : "(large)");
    if (text.size > SHOWN_BYTES)
        text.size = nt_utf8_prefix(text.data, SHOWN_BYTES);
    return text;
}

static netron_str args_of(netron_invocation *inv)
{
    return shown(
        inv->args.len <= DECODED_BYTES ? netron_invocation_args_json(inv) : NULL, inv->args.len);
}

static netron_str result_of(netron_invocation *inv)
{
    if (!inv->has_result)
        return netron_s(inv->is_streaming ? "a stream" : "done");
    return shown(inv->result_size <= DECODED_BYTES ? netron_invocation_result_json(inv) : NULL,
        inv->result_size);
}

static netron_str reason_of(netron_err err)
{
    const netron_error *last = netron_last_error();
    return netron_s(last->code == err ? last->message : netron_err_text(err));
}

static netron_err log_request(netron_invocation *inv, void *user)
{
    const logging *l = user;
    if (l->node->log.level < l->level)
        return netron_next(inv);
    netron_str args = args_of(inv);
    uint64_t begin = uv_hrtime();
    netron_err err = netron_next(inv);
    double ms = (double)(uv_hrtime() - begin) / 1e6;
    netron_str result = err == NETRON_OK ? result_of(inv) : reason_of(err);
    nt_log_write(&l->node->log, l->level, "%s %s%s%s%.*s %s %s: %s%.*s, %.3f ms", verb(inv),
        inv->service, inv->service[0] != '\0' ? "." : "", inv->member, NETRON_STR(args),
        inv->side == NETRON_SERVER ? "for" : "at", netron_peer_id(inv->peer),
        err != NETRON_OK ? "failed, " : "", NETRON_STR(result), ms);
    return err;
}

netron_err netron_use_logging(netron *node, unsigned sides, const char *service,
    netron_log_level level)
{
    logging *l = malloc(sizeof *l);
    if (l == NULL)
        return nt_no_memory();
    *l = (logging){node, level != NETRON_LOG_DEFAULT ? level : NETRON_LOG_INFO};
    netron_err err = netron_use(node, &(netron_middleware){.fn = log_request,
                                          .user = l,
                                          .sides = sides,
                                          .order = NETRON_ORDER_LOGGING,
                                          .service = service,
                                          .on_end = free});
    if (err != NETRON_OK)
        free(l);
    return err;
}
