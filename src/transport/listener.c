/* listener.c - listeners, and the registry of schemes. */
#include "transport/listener.h"

#include "base/error.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

netron_err nt_listener_open(netron_listener **out, const netron_listener *like,
    const char *address)
{
    size_t size = strlen(like->scheme->name) + strlen(address) + 4;
    netron_listener *listener = malloc(sizeof *listener);
    char *url = malloc(size);
    if (listener == NULL || url == NULL) {
        free(listener);
        free(url);
        return nt_no_memory();
    }
    *listener = *like;
    listener->link = (nt_list){0};
    (void)snprintf(url, size, "%s%s%s", like->scheme->name,
        strcmp(like->scheme->name, "unix") == 0 ? ":" : "://", address);
    listener->url = url;
    netron_err err = like->scheme->ops->listen(listener, address, like->scheme->user);
    if (err != NETRON_OK) {
        free(url);
        free(listener);
        return err;
    }
    *out = listener;
    return NETRON_OK;
}

void nt_listener_stop(netron_listener *listener)
{
    if (listener->is_stopping)
        return;
    listener->is_stopping = true;
    listener->scheme->ops->stop(listener);
}

void netron_listener_closed(netron_listener *listener)
{
    listener->on_closed(listener);
    free(listener->url);
    free(listener);
}

void netron_listener_set_address(netron_listener *listener, const char *address)
{
    /* A path or query that was asked for stays: it is part of the address to dial. */
    const char *host = strstr(listener->url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
    size_t size = strlen(listener->scheme->name) + strlen(address) + 4 +
                  (path != NULL ? strlen(path) : 0);
    char *url = malloc(size);
    if (url == NULL)
        return;
    (void)snprintf(url, size, "%s://%s%s", listener->scheme->name, address,
        path != NULL ? path : "");
    free(listener->url);
    listener->url = url;
}

void netron_listener_set_data(netron_listener *listener, void *data)
{
    listener->data = data;
}

void *netron_listener_data(const netron_listener *listener)
{
    return listener->data;
}

void *netron_listener_loop(const netron_listener *listener)
{
    return listener->loop->uv;
}

/* ---- schemes ---- */

netron_err nt_registry_init(nt_registry *registry)
{
    static const struct {
        const char *name;
        const netron_transport_ops *ops;
        netron_framing framing;
    } built_in[] = {
        {"ws", &nt_tcp_ops, NETRON_FRAMING_WEBSOCKET},
        {"tcp", &nt_tcp_ops, NETRON_FRAMING_LENGTH},
        {"unix", &nt_unix_ops, NETRON_FRAMING_LENGTH},
        {"memory", &nt_memory_ops, NETRON_FRAMING_LENGTH},
    };
    nt_list_init(&registry->schemes);
    for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++) {
        netron_err err = nt_registry_add(registry, built_in[i].name, built_in[i].ops, NULL,
            built_in[i].framing);
        if (err != NETRON_OK) {
            nt_registry_fini(registry);
            return err;
        }
    }
    return NETRON_OK;
}

void nt_registry_fini(nt_registry *registry)
{
    for (nt_list *at; (at = nt_list_take(&registry->schemes)) != NULL;)
        free(NT_ITEM(at, nt_scheme, link));
}

static nt_scheme *find(const nt_registry *registry, const char *name, size_t size)
{
    NT_LIST_FOREACH(at, &registry->schemes) {
        nt_scheme *scheme = NT_ITEM(at, nt_scheme, link);
        if (strlen(scheme->name) == size && memcmp(scheme->name, name, size) == 0)
            return scheme;
    }
    return NULL;
}

netron_err nt_registry_add(nt_registry *registry, const char *name,
    const netron_transport_ops *ops, void *user, netron_framing framing)
{
    size_t size = strlen(name);
    if (size == 0 || size >= sizeof((nt_scheme *)0)->name)
        return nt_fail(NETRON_INVALID, "\"%s\" is no scheme: up to 31 letters and digits", name);
    for (const char *c = name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && *c != '+')
            return nt_fail(NETRON_INVALID, "\"%s\" is no scheme: letters, digits and '+'", name);
    if (find(registry, name, size) != NULL)
        return nt_fail(NETRON_CONFLICT, "there is a transport for %s:// already", name);
    nt_scheme *scheme = calloc(1, sizeof *scheme);
    if (scheme == NULL)
        return nt_no_memory();
    scheme->ops = ops;
    scheme->user = user;
    scheme->framing = framing;
    memcpy(scheme->name, name, size);
    nt_list_append(&registry->schemes, &scheme->link);
    return NETRON_OK;
}

netron_err nt_registry_find(const nt_registry *registry, const char *url, const nt_scheme **out,
    const char **address)
{
    size_t size = strcspn(url, ":");
    const char *rest = url + size;
    const nt_scheme *scheme = *rest == ':' ? find(registry, url, size) : NULL;
    bool has_slashes = strncmp(rest, "://", 3) == 0;
    /* unix:/path is the one form without slashes (PROTOCOL.md §1.2). */
    if (scheme != NULL && (has_slashes || strcmp(scheme->name, "unix") == 0)) {
        *out = scheme;
        *address = rest + (has_slashes ? 3 : 1);
        return NETRON_OK;
    }
    char known[256] = "";
    size_t used = 0;
    NT_LIST_FOREACH(at, &registry->schemes) {
        const nt_scheme *each = NT_ITEM(at, nt_scheme, link);
        int more = snprintf(known + used, sizeof known - used, "%s%s://", used != 0 ? ", " : "",
            each->name);
        if (more < 0 || (size_t)more >= sizeof known - used)
            break;
        used += (size_t)more;
    }
    return nt_fail(NETRON_INVALID, "\"%s\": no such address; known are %s, e.g. ws://127.0.0.1:7070",
        url, known);
}
