/* hello.c - the two JSON messages that begin a connection (PROTOCOL.md §2), and what our nodes add
 * to them: the extensions they know. */
#include "comm/session.h"

#include "base/error.h"
#include "comm/resume.h"

#include <stdlib.h>

enum {
    HELLO_MAX = 64 * 1024, /* of a message; ours stays under 512 bytes */
    ID_MAX = 128
};

const char *const nt_extension_names[] = {
    "int64", "cancel", "credit", "meta", "oneway", "patterns", "resume", NULL};

void nt_hello_send(nt_session *session)
{
    netron_scope scope = {0};
    netron_value names[8];
    size_t count = 0;
    for (size_t i = 0; nt_extension_names[i] != NULL; i++)
        if ((session->config->extensions >> i & 1) != 0)
            names[count++] = netron_str_value(netron_s(nt_extension_names[i]));
    netron_entry resume[4];
    netron_entry entries[4] = {
        {netron_str_value(netron_s("type")),
            netron_str_value(netron_s(session->is_server ? "id" : "client-id"))},
        {netron_str_value(netron_s("id")), netron_str_value(netron_s(session->config->id))},
        {netron_str_value(netron_s("ext")), netron_list_value(names, count)},
    };
    size_t used = count != 0 ? 3 : 2;
    if (session->ask != NULL && (session->extensions & NT_EXTENSION_RESUME) != 0) {
        size_t asked = nt_resume_write(session, &scope, resume);
        if (asked != 0)
            entries[used++] = (netron_entry){
                netron_str_value(netron_s("resume")), netron_map_value(resume, asked)};
    }
    netron_value hello = netron_map_value(entries, used);
    const char *json = netron_value_json(&scope, &hello);
    nt_writer writer;
    session->has_said_id = true;
    bool is_said = json != NULL && nt_link_begin(session->link, &writer);
    if (is_said) {
        nt_put_raw(&writer, json, strlen(json));
        is_said = nt_link_end(session->link, &writer) == NETRON_OK;
    }
    netron_scope_end(&scope);
    /* Rather no connection than one that waits for what will not come. */
    if (!is_said)
        nt_session_close(session, 1011, NETRON_NO_MEMORY, "no memory for the handshake");
}

/* Existing servers take any id, even none; so do we, as "". */
static netron_err keep_id(nt_session *session, const netron_value *id)
{
    netron_str text = id != NULL && id->type == NETRON_TYPE_STR ? id->as.str : netron_s("");
    if (text.size > ID_MAX)
        return nt_fail(NETRON_PROTOCOL, "the peer's id has over %d bytes", ID_MAX);
    char *copy = strndup(text.size != 0 ? text.data : "", text.size);
    if (copy == NULL)
        return nt_no_memory();
    free(session->id);
    session->id = copy;
    return NETRON_OK;
}

static void keep_extensions(nt_session *session, const netron_value *list)
{
    if (list == NULL || list->type != NETRON_TYPE_LIST)
        return;
    uint32_t announced = 0;
    for (size_t i = 0; i < list->as.list.count; i++) {
        const netron_value *name = &list->as.list.items[i];
        for (unsigned bit = 0; nt_extension_names[bit] != NULL; bit++)
            if (name->type == NETRON_TYPE_STR &&
                netron_eq(name->as.str, netron_s(nt_extension_names[bit])))
                announced |= 1u << bit;
    }
    session->extensions = announced & session->config->extensions;
    if ((session->extensions & NT_EXTENSION_INT64) != 0)
        session->write_flags |= NT_WRITE_INT64;
}

static netron_err take(nt_session *session, netron_str json, nt_resume_request *resume)
{
    netron_value hello;
    netron_scope scope = {0};
    const char *wanted = session->is_server ? "client-id" : "id";
    netron_err err = netron_value_parse(&scope, json, &hello);
    if (err == NETRON_OK) {
        const netron_value *type = netron_map_get(&hello, "type");
        if (type == NULL || type->type != NETRON_TYPE_STR ||
            !netron_eq(type->as.str, netron_s(wanted)))
            err = nt_fail(NETRON_PROTOCOL, "the first message is not a \"%s\"", wanted);
        else
            err = keep_id(session, netron_map_get(&hello, "id"));
        if (err == NETRON_OK)
            keep_extensions(session, netron_map_get(&hello, "ext"));
        if (err == NETRON_OK && session->is_server)
            err = nt_resume_read(netron_map_get(&hello, "resume"), resume);
    }
    netron_scope_end(&scope);
    return err;
}

bool nt_hello_take(nt_session *session, const nt_message *message)
{
    netron_str json = {(const char *)message->data, message->size};
    nt_resume_request resume = {0};
    netron_err err = message->size <= HELLO_MAX ? take(session, json, &resume)
                                                : nt_fail(NETRON_PROTOCOL, "it is too long");
    if (err == NETRON_OK) {
        /* The server's turn to speak comes with the client's id at the latest. */
        if (!session->has_said_id)
            nt_hello_send(session);
        if (session->is_server)
            return nt_resume_answer(session, &resume);
        return session->ask == NULL || !session->ask->awaits_verdict;
    }
    char why[256];
    (void)snprintf(why, sizeof why, "the handshake failed: %s", netron_last_error()->message);
    nt_session_close(session, 1002, NETRON_PROTOCOL, why);
    return false;
}
