/* cmd_describe.c - netron describe: services and their signatures, written as in the contract. */
#include "commands.h"
#include "definition.h"
#include "options.h"
#include "session.h"

/* One service being printed. */
typedef struct printing {
    cli_output *out;
    const netron_value *meta;
} printing;

/* ---- types ------------------------------------------------------------------------------- */

static void put_text(const printing *p, netron_str text)
{
    cli_put_foreign(p->out, text);
}

static const netron_value *enum_names(const printing *p, netron_str type)
{
    return cli_list_of(cli_named_type(p->meta, type), "names");
}

/* An enumeration as its names, anything else as it is declared. */
static void put_type(const printing *p, netron_str type, const char *between)
{
    const netron_value *names = enum_names(p, type);
    const netron_value *name;
    if (names == NULL)
        put_text(p, type);
    for (size_t i = 0; (name = cli_item(names, i)) != NULL; i++) {
        cli_put(p->out, "%s", i > 0 ? between : "");
        if (name->type == NETRON_TYPE_STR)
            put_text(p, name->as.str);
    }
}

/* What stands alone, after ":" or "->". */
static void put_result_type(const printing *p, netron_str decl)
{
    bool is_stream;
    cli_type type = cli_type_read(p->meta, cli_type_of_item(decl, &is_stream));
    bool is_grouped = type.is_optional && enum_names(p, type.whole) != NULL;
    cli_put(p->out, "%s%s", is_stream ? "stream " : "", is_grouped ? "(" : "");
    put_type(p, type.whole, " | ");
    cli_put(p->out, "%s%s", is_grouped ? ")" : "", type.is_optional ? "?" : "");
}

/* "u64 from?", "u32 limit = 10", or the type alone where no name is known. */
static void put_parameter(const printing *p, const netron_value *parameter)
{
    netron_str name = cli_text_of(parameter, "name");
    netron_str usual = cli_default_of(p->meta, parameter);
    cli_type type = cli_type_read(p->meta, cli_declared(parameter));
    put_type(p, type.whole, "|");
    cli_put(p->out, "%s", name.size != 0 ? " " : "");
    put_text(p, name);
    cli_put(p->out, "%s%s", type.is_optional ? "?" : "", usual.size != 0 ? " = " : "");
    put_text(p, usual);
}

static void put_parameters(const printing *p, const netron_value *member)
{
    const netron_value *parameters = cli_list_of(member, "arguments");
    const netron_value *parameter;
    cli_put(p->out, "(");
    for (size_t i = 0; (parameter = cli_item(parameters, i)) != NULL; i++) {
        cli_put(p->out, "%s", i > 0 ? ", " : "");
        put_parameter(p, parameter);
    }
    cli_put(p->out, ")");
}

/* ---- members ----------------------------------------------------------------------------- */

static void end_member(const printing *p, const netron_value *member)
{
    netron_str doc = cli_text_of(member, "doc");
    if (doc.size != 0) {
        cli_put_style(p->out, CLI_DIM);
        cli_put(p->out, "  // ");
        put_text(p, doc);
        cli_put_style(p->out, CLI_PLAIN);
    }
    cli_put(p->out, "\n");
}

static void put_method(const printing *p, netron_str name, const netron_value *method)
{
    cli_put(p->out, "  ");
    put_text(p, name);
    put_parameters(p, method);
    cli_put(p->out, " -> ");
    put_result_type(p, cli_declared(method));
    end_member(p, method);
}

static void put_property(const printing *p, netron_str name, const netron_value *property)
{
    cli_put(p->out, cli_flag_of(property, "readonly") ? "  readonly " : "  ");
    put_text(p, name);
    cli_put(p->out, ": ");
    put_result_type(p, cli_declared(property));
    end_member(p, property);
}

static void put_event(const printing *p, netron_str name, const netron_value *event)
{
    cli_put(p->out, "  event ");
    put_text(p, name);
    put_parameters(p, event);
    end_member(p, event);
}

/* A struct: "user { str id, str name }". Enumerations stand where they are used. */
static void put_struct(const printing *p, netron_str name, const netron_value *type)
{
    const netron_value *fields = cli_list_of(type, "fields");
    const netron_value *field;
    if (fields == NULL)
        return;
    cli_put(p->out, "  ");
    put_text(p, name);
    cli_put(p->out, " {");
    for (size_t i = 0; (field = cli_item(fields, i)) != NULL; i++) {
        cli_put(p->out, i > 0 ? ", " : " ");
        put_parameter(p, field);
    }
    cli_put(p->out, " }\n");
}

/* ---- a service --------------------------------------------------------------------------- */

typedef void (*put_fn)(const printing *p, netron_str name, const netron_value *item);

static void put_all(const printing *p, const char *kind, put_fn put)
{
    const netron_value *items = cli_map_of(p->meta, kind);
    const netron_entry *entry;
    for (size_t i = 0; (entry = cli_entry(items, i)) != NULL; i++)
        put(p, entry->key.as.str, &entry->value);
}

/* "calculator@1.0.0", or the bare name. */
static const char *qualified(cli *c, const netron_value *service)
{
    netron_str name = cli_text_of(service, "name");
    netron_str version = cli_text_of(service, "version");
    return cli_text(
        c, "%.*s%s%.*s", NETRON_STR(name), version.size != 0 ? "@" : "", NETRON_STR(version));
}

static void put_service(cli *c, const netron_value *meta)
{
    printing p = {&c->out, meta};
    cli_put_style(&c->out, CLI_BOLD);
    put_text(&p, netron_s(qualified(c, meta)));
    cli_put_style(&c->out, CLI_PLAIN);
    cli_put(&c->out, "\n");
    put_all(&p, "methods", put_method);
    put_all(&p, "properties", put_property);
    put_all(&p, "events", put_event);
    put_all(&p, "types", put_struct);
}

static int describe_one(cli_session *session, const char *service)
{
    const netron_value *meta;
    int code = cli_session_describe(session, service, &meta);
    if (code != CLI_OK)
        return code;
    if (session->cli->out.json)
        cli_put_json(&session->cli->out, meta);
    else
        put_service(session->cli, meta);
    return CLI_OK;
}

/* ---- all services ------------------------------------------------------------------------ */

static int fail_listing(cli_session *session, netron_err err)
{
    cli *c = session->cli;
    if (err != NETRON_UNSUPPORTED)
        return cli_session_fail(session, err);
    cli_failure failure = {
        .code = err,
        .name = "TitanError",
        .message = "this node cannot list its services; it answers for those that are named",
        .fix = cli_text(c, "netron describe %s SERVICE names one", c->url),
    };
    cli_put_failure(&c->out, &failure);
    return CLI_FAILED;
}

/* The meta of each, for the list that a node gave. */
static int describe_each(cli_session *session, const netron_value *services, netron_value *metas)
{
    const netron_value *service;
    for (size_t i = 0; (service = cli_item(services, i)) != NULL; i++) {
        const netron_value *meta;
        int code = cli_session_describe(session, qualified(session->cli, service), &meta);
        if (code != CLI_OK)
            return code;
        metas[i] = *meta;
    }
    return CLI_OK;
}

static void put_services(cli *c, const netron_value *metas, size_t count)
{
    netron_value all = netron_list_value(metas, count);
    if (c->out.json) {
        cli_put_json(&c->out, &all);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        cli_put(&c->out, "%s", i > 0 ? "\n" : "");
        put_service(c, &metas[i]);
    }
    if (count == 0)
        cli_note(&c->out, "%s has no services", c->url);
}

static int describe_all(cli_session *session)
{
    netron_value services;
    netron_err err = netron_list_services(session->peer, &session->scope, &services);
    if (err != NETRON_OK)
        return fail_listing(session, err);
    size_t count = services.type == NETRON_TYPE_LIST ? services.as.list.count : 0;
    netron_value *metas = netron_scope_alloc(&session->scope, (count + 1) * sizeof *metas);
    if (metas == NULL)
        return cli_session_fail(session, NETRON_NO_MEMORY);
    int code = describe_each(session, &services, metas);
    if (code == CLI_OK)
        put_services(session->cli, metas, count);
    return code;
}

/* ---- who holds what ---------------------------------------------------------------------- */

typedef struct describe_options {
    bool refs;
} describe_options;

static void put_holder(cli *c, const netron_value *row)
{
    const netron_value *since = netron_map_get(row, "since");
    int64_t references = 0, count = 0;
    const netron_value *found = netron_map_get(row, "references");
    if (found != NULL && netron_value_i64(found, &references) != NETRON_OK)
        references = 0;
    found = netron_map_get(row, "count");
    if (found != NULL && netron_value_i64(found, &count) != NETRON_OK)
        count = 0;
    cli_put_foreign(&c->out, cli_text_of(row, "peerId"));
    cli_put(&c->out, "  ");
    cli_put_foreign(&c->out, netron_s(qualified(c, row)));
    cli_put(&c->out, "  %" PRId64 "  given %" PRId64 " times  since ", references, count);
    netron_value unknown = netron_str_value(netron_s("?"));
    cli_put_result(&c->out, since != NULL ? since : &unknown, false);
}

static int describe_references(cli_session *session)
{
    cli *c = session->cli;
    netron_value found;
    const netron_value *row;
    netron_err err = netron_list_references(session->peer, &session->scope, &found);
    if (err != NETRON_OK)
        return cli_session_fail(session, err);
    if (c->out.json) {
        cli_put_json(&c->out, &found);
        return CLI_OK;
    }
    const netron_value *rows = cli_list_of(&found, "rows");
    for (size_t i = 0; (row = cli_item(rows, i)) != NULL; i++)
        put_holder(c, row);
    if (cli_item(rows, 0) == NULL)
        cli_note(&c->out, "nobody holds services of %s", c->url);
    else if (!cli_flag_of(&found, "complete"))
        cli_note(&c->out, "there are more");
    return CLI_OK;
}

static int run(cli *c, const void *options)
{
    const describe_options *o = options;
    cli_session session;
    int code = cli_session_open(&session, c);
    if (code == CLI_OK && o->refs)
        code = describe_references(&session);
    else if (code == CLI_OK)
        code = c->count > 0 ? describe_one(&session, c->words[0]) : describe_all(&session);
    return cli_session_close(&session, code);
}

static const cli_option describe_table[] = {
    {.name = "refs",
        .offset = offsetof(describe_options, refs),
        .help = "show who holds services of this node by reference, and how many"},
    {0},
};

const cli_command cli_command_describe = {
    .name = "describe",
    .task = "Ask a node",
    .summary = "show services and their signatures",
    .operands = {"URL", "[SERVICE]"},
    .options = describe_table,
    .options_size = sizeof(describe_options),
    .run = run,
    .help = "Signatures are written as in the contract; a question mark is what may be left out.\n"
            "Without SERVICE all services of the node are shown; existing TypeScript nodes cannot\n"
            "list theirs and must be asked by name. --json prints the definition as it was sent.\n",
    .examples = "  netron describe ws://127.0.0.1:7070\n"
                "      everything that can be called there\n"
                "  netron describe ws://127.0.0.1:7070 calculator@^1\n"
                "      the newest version 1 of one service\n"
                "  netron describe --json ws://127.0.0.1:7070 calculator | jq '.methods | keys'\n"
                "      for scripts\n"
                "  netron describe --refs ws://127.0.0.1:7070\n"
                "      a count that only grows is a leak: somebody releases nothing\n",
};
