/* urgent_test.c - calls and control packets that do not wait behind bulk on their connection. */
#include "pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BULK = 200000, CALLS = 16, LOG_MAX = 4 * CALLS };

NETRON_SERVICE(desk, "desk@1.0.0", file_away, fetch, plain, stay, ask_back);
NETRON_METHOD(desk, file_away, none, (bytes, sheaf));
NETRON_METHOD(desk, fetch, bytes);
NETRON_METHOD(desk, plain, i32, (str, name));
NETRON_METHOD(desk, stay, none);
/* Rings the porter of the caller. */
NETRON_METHOD(desk, ask_back, none);

NETRON_SERVICE(porter, "porter@1.0.0", carry, ring);
NETRON_METHOD(porter, carry, none, (bytes, sheaf));
NETRON_METHOD(porter, ring, none);

/* What has happened at one node, a letter each. */
typedef struct journal {
    char text[LOG_MAX + 1];
    size_t size;
} journal;

struct desk__self {
    journal *journal;
    netron_peer *caller; /* the last one */
    porter porter;       /* its */
};

struct porter__self {
    journal *journal;
};

static uint8_t bulk[BULK];

static void note(journal *j, char letter)
{
    assert_true(j->size < LOG_MAX);
    j->text[j->size++] = letter;
}

netron_err desk__file_away_impl(netron_ctx *ctx, desk__self *self, netron_bytes sheaf)
{
    (void)ctx;
    (void)sheaf;
    note(self->journal, 'b');
    return NETRON_OK;
}

netron_err desk__fetch_impl(netron_ctx *ctx, desk__self *self, netron_bytes *result)
{
    (void)ctx;
    (void)self;
    *result = (netron_bytes){bulk, sizeof bulk};
    return NETRON_OK;
}

netron_err desk__plain_impl(netron_ctx *ctx, desk__self *self, netron_str name, int32_t *result)
{
    self->caller = netron_caller(ctx);
    note(self->journal, name.data[0]);
    *result = name.data[0];
    return NETRON_OK;
}

netron_err desk__stay_impl(netron_ctx *ctx, desk__self *self)
{
    note(self->journal, 's');
    netron_err err = netron_sleep(ctx, 60000);
    note(self->journal, err == NETRON_CANCELLED ? 'c' : '?');
    return err;
}

netron_err desk__ask_back_impl(netron_ctx *ctx, desk__self *self)
{
    (void)ctx;
    return porter_ring(&self->porter); /* for this call, and as urgent */
}

NETRON_PROVIDE(desk, file_away, fetch, plain, stay, ask_back);

netron_err porter__carry_impl(netron_ctx *ctx, porter__self *self, netron_bytes sheaf)
{
    (void)ctx;
    (void)sheaf;
    note(self->journal, 'b');
    return NETRON_OK;
}

netron_err porter__ring_impl(netron_ctx *ctx, porter__self *self)
{
    (void)ctx;
    note(self->journal, 'u');
    return NETRON_OK;
}

NETRON_PROVIDE(porter, carry, ring);

typedef struct fixture {
    pair p;
    journal there, here;
    desk__self self;
    porter__self porter;
    desk desk;
} fixture;

static char unix_url[64];

/* What the kernel holds for a TCP connection may be all of it: there only the outcome is looked at. */
static const struct way {
    const char *url;
    bool shows_order;
} ways[] = {{"ws://127.0.0.1:0", false}, {"tcp://127.0.0.1:0", false}, {unix_url, true},
    {"memory://urgent", true}};

static void open_desk(fixture *f, const char *url)
{
    *f = (fixture){0};
    f->self.journal = &f->there;
    f->porter.journal = &f->here;
    pair_open(&f->p, url, &(netron_options){.max_calls = 2 * CALLS}, NULL);
    CHECK_OK(desk__expose(f->p.server, &f->self));
    CHECK_OK(porter__expose(f->p.client, &f->porter));
    CHECK_OK(desk__query(f->p.peer, &f->desk));
}

static void close_desk(fixture *f)
{
    desk__release(&f->desk);
    pair_close(&f->p);
}

/* How many bulky ones came before it. */
static size_t bulk_before(const journal *j, char letter)
{
    size_t count = 0;
    for (size_t i = 0; i < j->size && j->text[i] != letter; i++)
        count += j->text[i] == 'b';
    return count;
}

static void test_a_request_overtakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        desk__file_away_future all[CALLS];
        int32_t answer;
        open_desk(&f, ways[i].url);
        for (int k = 0; k < CALLS; k++)
            all[k] = desk__file_away_start(&f.desk, (netron_bytes){bulk, BULK});
        desk__plain_future plain = desk__plain_start(&f.desk, netron_s("plain"));
        desk__plain_future urgent =
            desk__plain_start(netron_with(&f.desk, .urgent = true), netron_s("urgent"));
        CHECK_OK(desk__plain_wait(&urgent, &answer));
        assert_int_equal(answer, 'u');
        CHECK_OK(desk__plain_wait(&plain, &answer));
        for (int k = 0; k < CALLS; k++)
            CHECK_OK(desk__file_away_wait(&all[k]));
        if (ways[i].shows_order &&
            (bulk_before(&f.there, 'u') >= CALLS / 2 || bulk_before(&f.there, 'p') != CALLS))
            fail_msg("%s: %s", ways[i].url, f.there.text);
        close_desk(&f);
    }
}

typedef struct fetcher {
    fixture *f;
    char letter;
} fetcher;

static netron_err fetch(netron_ctx *ctx, void *arg)
{
    const fetcher *own = arg;
    netron_bytes bytes;
    NETRON_TRY(desk_fetch(netron_with(&own->f->desk, .ctx = ctx), &bytes));
    assert_int_equal(bytes.size, BULK);
    note(&own->f->here, own->letter);
    return NETRON_OK;
}

static netron_err ask(netron_ctx *ctx, void *arg)
{
    const fetcher *own = arg;
    int32_t answer;
    NETRON_TRY(desk_plain(
        netron_with(&own->f->desk, .ctx = ctx, .urgent = own->letter == 'u'), netron_s("x"), &answer));
    note(&own->f->here, own->letter);
    return NETRON_OK;
}

/* The requests are small, and all are there at once: only the answers wait. */
static void test_an_answer_overtakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        netron_fiber *fibers[CALLS + 2];
        open_desk(&f, ways[i].url);
        netron_ctx *ctx = netron_context(f.p.client);
        fetcher bulky = {&f, 'b'}, plain = {&f, 'p'}, urgent = {&f, 'u'};
        for (int k = 0; k < CALLS; k++)
            CHECK_OK(netron_spawn(ctx, fetch, &bulky, &fibers[k]));
        CHECK_OK(netron_spawn(ctx, ask, &plain, &fibers[CALLS]));
        CHECK_OK(netron_spawn(ctx, ask, &urgent, &fibers[CALLS + 1]));
        for (int k = 0; k < CALLS + 2; k++)
            CHECK_OK(netron_join(ctx, fibers[k], NULL));
        if (ways[i].shows_order &&
            (bulk_before(&f.here, 'u') >= CALLS / 2 || bulk_before(&f.here, 'p') != CALLS))
            fail_msg("%s: %s", ways[i].url, f.here.text);
        close_desk(&f);
    }
}

static void test_what_serves_it_calls_as_urgently(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        porter__carry_future all[CALLS];
        int32_t answer;
        open_desk(&f, ways[i].url);
        CHECK_OK(desk_plain(&f.desk, netron_s("plain"), &answer));
        CHECK_OK(porter__query(f.self.caller, &f.self.porter));
        for (int k = 0; k < CALLS; k++)
            all[k] = porter__carry_start(&f.self.porter, (netron_bytes){bulk, BULK});
        CHECK_OK(desk_ask_back(netron_with(&f.desk, .urgent = true)));
        for (int k = 0; k < CALLS; k++)
            CHECK_OK(porter__carry_wait(&all[k]));
        if (ways[i].shows_order && bulk_before(&f.here, 'u') >= CALLS / 2)
            fail_msg("%s: %s", ways[i].url, f.here.text);
        porter__release(&f.self.porter);
        close_desk(&f);
    }
}

static void test_cancelling_overtakes_but_not_what_it_is_about(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        desk__file_away_future all[2 * CALLS];
        open_desk(&f, ways[i].url);
        desk__stay_future early = desk__stay_start(&f.desk);
        RUN_UNTIL(f.p.client, f.there.size == 1);
        for (int k = 0; k < CALLS; k++)
            all[k] = desk__file_away_start(&f.desk, (netron_bytes){bulk, BULK});
        desk__stay_drop(&early);
        for (int k = 0; k < CALLS; k++)
            CHECK_OK(desk__file_away_wait(&all[k]));
        if (f.there.text[0] != 's' ||
            (ways[i].shows_order && bulk_before(&f.there, 'c') >= CALLS / 2))
            fail_msg("%s: %s", ways[i].url, f.there.text);
        f.there = (journal){0};
        for (int k = 0; k < CALLS; k++)
            all[k] = desk__file_away_start(&f.desk, (netron_bytes){bulk, BULK});
        desk__stay_future late = desk__stay_start(&f.desk);
        desk__stay_drop(&late);
        for (int k = 0; k < CALLS; k++)
            CHECK_OK(desk__file_away_wait(&all[k]));
        RUN_UNTIL(f.p.client, f.there.size == CALLS + 2); /* it begins, and then ends */
        assert_string_equal(f.there.text + CALLS, "sc");
        close_desk(&f);
    }
}

int main(void)
{
    char folder[] = "/tmp/netron-test-XXXXXX";
    if (mkdtemp(folder) == NULL)
        return 1;
    (void)snprintf(unix_url, sizeof unix_url, "unix:%s/a", folder);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_overtakes),
        cmocka_unit_test(test_an_answer_overtakes),
        cmocka_unit_test(test_what_serves_it_calls_as_urgently),
        cmocka_unit_test(test_cancelling_overtakes_but_not_what_it_is_about),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (rmdir(folder) != 0)
        return 1;
    return failed;
}
