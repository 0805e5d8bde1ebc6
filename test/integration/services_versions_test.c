/* services_versions_test.c - several versions of one service side by side: which one a query finds. */
#include "pair.h"

#include <stdlib.h>

NETRON_SERVICE(auth_v1, "auth@1.0.0", who);
NETRON_METHOD(auth_v1, who, str);
NETRON_SERVICE(auth_v14, "auth@1.4.0", who);
NETRON_METHOD(auth_v14, who, str);
NETRON_SERVICE(auth_v2, "auth@2.0.0", who);
NETRON_METHOD(auth_v2, who, str);
NETRON_SERVICE(auth_v3, "auth@3.0.0-beta.1", who);
NETRON_METHOD(auth_v3, who, str);
NETRON_SERVICE(auth_v10, "auth@10.0.0", who);
NETRON_METHOD(auth_v10, who, str);
/* Another provider of the very same name. */
NETRON_SERVICE(auth_rival, "auth@1.4.0", who);
NETRON_METHOD(auth_rival, who, str);

#define SELF(S, text)                                                                              \
    struct S##__self {                                                                             \
        int unused;                                                                                \
    };                                                                                             \
    netron_err S##__who_impl(netron_ctx *ctx, S##__self *self, netron_str *result)                 \
    {                                                                                              \
        (void)ctx;                                                                                 \
        (void)self;                                                                                \
        *result = netron_s(text);                                                                  \
        return NETRON_OK;                                                                          \
    }                                                                                              \
    NETRON_PROVIDE(S, who)
SELF(auth_v1, "1.0.0");
SELF(auth_v14, "1.4.0");
SELF(auth_v2, "2.0.0");
SELF(auth_v3, "3.0.0-beta.1");
SELF(auth_v10, "10.0.0");
SELF(auth_rival, "rival");

typedef struct fixture {
    pair p;
    auth_v1__self self;
    auth_v14__self self14;
    auth_v2__self self2;
    auth_v3__self self3;
    auth_rival__self rival;
    netron_scope scope;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    pair_open(&f->p, NULL, NULL, NULL);
    CHECK_OK(auth_v14__expose(f->p.server, &f->self14));
    CHECK_OK(auth_v1__expose(f->p.server, &f->self));
    CHECK_OK(auth_v3__expose(f->p.server, &f->self3));
    CHECK_OK(auth_v2__expose(f->p.server, &f->self2));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    netron_scope_end(&f->scope);
    pair_close(&f->p);
    free(f);
    return 0;
}

/* What the service found for `query` says of itself, or NULL. Any contract of the five does. */
static const char *found_by(fixture *f, netron_peer *peer, const char *query)
{
    auth_v1 proxy;
    netron_str who;
    if (auth_v1__query_as(peer, query, &proxy) != NETRON_OK)
        return NULL;
    CHECK_OK(auth_v1_who(netron_with(&proxy, .scope = &f->scope), &who));
    auth_v1__release(&proxy);
    char *text = netron_scope_alloc(&f->scope, who.size + 1);
    memcpy(text, who.data, who.size);
    return text;
}

static void test_query_finds_the_version_that_it_asks_for(void **state)
{
    static const struct {
        const char *query, *found;
    } rows[] = {
        {"auth@1.0.0", "1.0.0"},
        {"auth@1.4.0", "1.4.0"},
        {"auth@2.0.0", "2.0.0"},
        {"auth@3.0.0-beta.1", "3.0.0-beta.1"},
        {"auth", "2.0.0"},
        {"auth@^1", "1.4.0"},
        {"auth@^1.0.0", "1.4.0"},
        {"auth@^1.2", "1.4.0"},
        {"auth@~1.0", "1.0.0"},
        {"auth@~1.4", "1.4.0"},
        {"auth@1.x", "1.4.0"},
        {"auth@1", "1.4.0"},
        {"auth@1.0.x", "1.0.0"},
        {"auth@*", "2.0.0"},
        {"auth@>=1 <3", "2.0.0"},
        {"auth@>=1.0.0 <1.4.0", "1.0.0"},
        {"auth@>1.0.0 <2", "1.4.0"},
        {"auth@<2", "1.4.0"},
        {"auth@1.0.0 || 2.x", "2.0.0"},
        {"auth@^3.0.0-beta.0", "3.0.0-beta.1"},
        /* No prerelease unless asked for. */
        {"auth@>=1", "2.0.0"},
        {"auth@^3", NULL},
        {"auth@>2.0.0", NULL},
        {"auth@1.2.0", NULL},
        {"auth@~1.2", NULL},
        {"auth@0.x", NULL},
        {"auths", NULL},
        {"auth@1.0.0-beta", NULL},
    };
    fixture *f = *state;
    netron_peer *peers[] = {f->p.peer, netron_local(f->p.server)};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < NT_COUNT(rows); i++) {
            const char *found = found_by(f, peers[k], rows[i].query);
            if (rows[i].found == NULL) {
                NT_CHECK_ROW(found == NULL, rows[i].query);
                NT_CHECK_ROW(netron_last_error()->code == NETRON_NOT_FOUND, rows[i].query);
            } else {
                NT_CHECK_ROW(found != NULL && strcmp(found, rows[i].found) == 0, rows[i].query);
            }
        }
    }
}

static void test_query_of_a_contract_finds_its_own_version(void **state)
{
    fixture *f = *state;
    auth_v2 proxy;
    netron_str who;
    CHECK_OK(auth_v2__query(f->p.peer, &proxy));
    CHECK_OK(auth_v2_who(netron_with(&proxy, .scope = &f->scope), &who));
    CHECK_STR(who, "2.0.0");
    auth_v2__release(&proxy);
}

static void test_query_that_finds_nothing_names_the_versions_there_are(void **state)
{
    fixture *f = *state;
    auth_v1 proxy;
    auth_v10__self self;
    CHECK_OK(auth_v10__expose(f->p.server, &self));
    CHECK_ERR(auth_v1__query_as(f->p.peer, "auth@^4", &proxy), NETRON_NOT_FOUND);
    CHECK_SAYS("auth@^4");
    CHECK_SAYS("there is 1.0.0, 1.4.0, 2.0.0, 3.0.0-beta.1, 10.0.0"); /* 10 is more than 2 */
    CHECK_ERR(netron_describe(f->p.peer, "auth@9.9.9", &f->scope, &(netron_value){0}),
        NETRON_NOT_FOUND);
    CHECK_SAYS("2.0.0");
}

static void test_query_that_cannot_be_read_is_invalid(void **state)
{
    static const char *const wrong[] = {"", "@1.0.0", "auth@", "auth@one", "auth@1.0.0.0.0",
        "auth@>=", "au th", "auth\n", "../auth", "auth@^^1"};
    fixture *f = *state;
    auth_v1 proxy;
    for (size_t i = 0; i < NT_COUNT(wrong); i++) {
        netron_err err = auth_v1__query_as(f->p.peer, wrong[i], &proxy);
        NT_CHECK_ROW(err == NETRON_INVALID || (err == NETRON_NOT_FOUND && i == 2), wrong[i]);
    }
}

static void test_expose_of_a_name_that_is_taken_is_a_conflict_and_the_first_goes_on(void **state)
{
    fixture *f = *state;
    CHECK_ERR(auth_rival__expose(f->p.server, &f->rival), NETRON_CONFLICT);
    CHECK_SAYS("auth@1.4.0");
    assert_string_equal(found_by(f, f->p.peer, "auth@1.4.0"), "1.4.0");
    CHECK_OK(auth_v14__unexpose(f->p.server));
    CHECK_OK(auth_rival__expose(f->p.server, &f->rival));
    assert_string_equal(found_by(f, f->p.peer, "auth@^1"), "rival");
}

static void test_unexpose_takes_one_version_back(void **state)
{
    fixture *f = *state;
    auth_v2 proxy;
    netron_str who;
    CHECK_OK(auth_v2__query(f->p.peer, &proxy));
    CHECK_OK(auth_v2__unexpose(f->p.server));
    CHECK_ERR(auth_v2_who(netron_with(&proxy, .scope = &f->scope), &who), NETRON_NOT_FOUND);
    assert_string_equal(found_by(f, f->p.peer, "auth"), "1.4.0");
    CHECK_ERR(auth_v2__unexpose(f->p.server), NETRON_NOT_FOUND);
    /* Exposed anew it is another instance: the old proxy does not come back to life. */
    CHECK_OK(auth_v2__expose(f->p.server, &f->self2));
    CHECK_ERR(auth_v2_who(netron_with(&proxy, .scope = &f->scope), &who), NETRON_NOT_FOUND);
    auth_v2__release(&proxy);
    assert_string_equal(found_by(f, f->p.peer, "auth"), "2.0.0");
}

static void test_dynamic_call_asks_again_after_its_service_was_exposed_anew(void **state)
{
    fixture *f = *state;
    netron_call_options options = {.scope = &f->scope};
    netron_value who;
    CHECK_OK(netron_call(f->p.peer, "auth@^1", "who", NULL, &options, &who));
    CHECK_STR(who.as.str, "1.4.0");
    CHECK_OK(auth_v14__unexpose(f->p.server));
    netron_err err = netron_call(f->p.peer, "auth@^1", "who", NULL, &options, &who);
    if (err != NETRON_OK)
        err = netron_call(f->p.peer, "auth@^1", "who", NULL, &options, &who);
    CHECK_OK(err);
    CHECK_STR(who.as.str, "1.0.0");
}

static void test_list_services_names_every_version_in_order(void **state)
{
    fixture *f = *state;
    netron_value list;
    static const char *const versions[] = {"1.0.0", "1.4.0", "2.0.0", "3.0.0-beta.1", "10.0.0"};
    auth_v10__self self;
    CHECK_OK(auth_v10__expose(f->p.server, &self));
    CHECK_OK(netron_list_services(f->p.peer, &f->scope, &list));
    assert_int_equal(list.type, NETRON_TYPE_LIST);
    assert_int_equal(list.as.list.count, 5);
    for (size_t i = 0; i < 5; i++) {
        CHECK_STR(netron_map_get(&list.as.list.items[i], "name")->as.str, "auth");
        CHECK_STR(netron_map_get(&list.as.list.items[i], "version")->as.str, versions[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_query_finds_the_version_that_it_asks_for),
        TEST(test_query_of_a_contract_finds_its_own_version),
        TEST(test_query_that_finds_nothing_names_the_versions_there_are),
        TEST(test_query_that_cannot_be_read_is_invalid),
        TEST(test_expose_of_a_name_that_is_taken_is_a_conflict_and_the_first_goes_on),
        TEST(test_unexpose_takes_one_version_back),
        TEST(test_dynamic_call_asks_again_after_its_service_was_exposed_anew),
        TEST(test_list_services_names_every_version_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
