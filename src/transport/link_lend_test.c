/* link_lend_test.c - large text and bytes of a message that go out from where they stand: over a
 * transport that takes as many bytes as the test allows. */
#include "transport/link.h"

#include "support/check.h"

#include <stdlib.h>

enum {
    BODY = NT_LINK_LEND_BATCH + 3,
    BODY_MAX = 4 * 1024 * 1024,
    OUT_MAX = 8 * 1024 * 1024,
    PARTS_MAX = 16
};

typedef struct fixture {
    nt_loop *loop;
    nt_scheme scheme;
    netron_transport_ops ops;
    nt_link_limits limits;
    netron_link *link;
    uint8_t *out; /* what the transport has taken */
    size_t size, room;
    size_t budget; /* what it takes from now on */
    netron_bytes kept[PARTS_MAX]; /* of the write under way */
    size_t kept_count;
    unsigned tries, writables;
    bool is_broken;
    bool is_closing;
} fixture;

static size_t take(fixture *f, const netron_bytes *part)
{
    size_t size = part->size < f->budget ? part->size : f->budget;
    assert_true(f->size + size <= OUT_MAX);
    if (size == 0)
        return 0;
    if (f->size + size > f->room) { /* most fixtures take little of it */
        f->room = 2 * (f->size + size);
        f->out = realloc(f->out, f->room);
        assert_non_null(f->out);
    }
    memcpy(f->out + f->size, part->data, size);
    f->size += size;
    f->budget -= size;
    return size;
}

static netron_err fake_try_write(netron_link *link, const netron_bytes *parts, size_t count,
    size_t *taken)
{
    fixture *f = netron_link_data(link);
    assert_int_equal(f->kept_count, 0);
    assert_true(count <= PARTS_MAX);
    f->tries++;
    if (f->is_broken)
        return NETRON_UNAVAILABLE;
    *taken = 0;
    for (size_t i = 0; i < count; i++)
        *taken += take(f, &parts[i]);
    return NETRON_OK;
}

static netron_err fake_write(netron_link *link, const netron_bytes *parts, size_t count, bool *done)
{
    fixture *f = netron_link_data(link);
    assert_int_equal(f->kept_count, 0);
    assert_true(count <= PARTS_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t taken = take(f, &parts[i]);
        if (taken < parts[i].size)
            f->kept[f->kept_count++] = (netron_bytes){(const uint8_t *)parts[i].data + taken,
                parts[i].size - taken};
    }
    *done = f->kept_count == 0;
    return NETRON_OK;
}

static void fake_close(netron_link *link)
{
    fixture *f = netron_link_data(link);
    f->is_closing = true;
}

static void on_open(netron_link *link)
{
    (void)link;
}

static void on_writable(netron_link *link)
{
    fixture *f = netron_link_data(link);
    f->writables++;
}

static void on_closed(netron_link *link, netron_err err, const char *reason)
{
    (void)link, (void)err, (void)reason;
}

static const nt_link_events events = {
    .on_open = on_open, .on_input = on_open, .on_writable = on_writable, .on_closed = on_closed};

static void open_link(fixture *f, netron_framing framing, bool lends)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(nt_loop_open(&f->loop, NULL, 16, 65536), NETRON_OK);
    f->ops = (netron_transport_ops){.framing = framing,
        .write = fake_write,
        .close = fake_close,
        .try_write = lends ? fake_try_write : NULL};
    f->scheme = (nt_scheme){.ops = &f->ops, .framing = framing};
    f->limits = (nt_link_limits){.max_message_bytes = (size_t)4 << 20,
        .max_unsent_bytes = (size_t)4 << 20,
        .max_held_bytes = SIZE_MAX,
        .stalled_timeout_ms = 100000};
    f->budget = SIZE_MAX;
    f->link = nt_link_accepted(f->loop, &f->scheme, &f->limits, NULL);
    assert_non_null(f->link);
    f->link->events = &events;
    netron_link_set_data(f->link, f);
    if (f->link->ws != NULL)
        nt_ws_free(f->link); /* as if the upgrade were over */
    nt_link_opened_up(f->link);
}

static void turn(fixture *f)
{
    nt_loop_enter(f->loop);
    nt_loop_leave(f->loop);
}

/* The transport takes all that it was given. */
static void drain(fixture *f)
{
    f->budget = SIZE_MAX;
    for (turn(f); f->kept_count != 0; turn(f)) {
        for (size_t i = 0; i < f->kept_count; i++)
            (void)take(f, &f->kept[i]);
        f->kept_count = 0;
        netron_link_written(f->link);
    }
}

static void close_link(fixture *f)
{
    if (!f->is_closing)
        nt_link_abort(f->link, NETRON_OK, "the test is over");
    assert_true(f->is_closing);
    netron_link_closed(f->link, NETRON_OK, NULL);
    nt_loop_close(f->loop);
    free(f->out);
}

/* The same for every message, made once: byte by byte is what takes long with a sanitizer. */
static const uint8_t *pattern_of(size_t size)
{
    static uint8_t pattern[BODY_MAX];
    assert_true(size <= sizeof pattern);
    if (pattern[1] == 0)
        for (size_t i = 0; i < sizeof pattern; i++)
            pattern[i] = (uint8_t)(i * 31 + i / 251);
    return pattern;
}

/* A list of text, bytes and text; the bytes change as soon as the message has been ended. */
static netron_err send_list(fixture *f, size_t before, size_t body, size_t behind)
{
    nt_writer writer;
    uint8_t *bytes = malloc(body);
    char *text = calloc(1, before + behind + 1);
    assert_true(bytes != NULL && text != NULL);
    memcpy(bytes, pattern_of(body), body);
    memset(text, 't', before + behind);
    assert_true(nt_link_begin(f->link, &writer));
    writer.flags = 0;
    netron_abi_put_list(&writer, 3);
    netron_abi_put_str(&writer, (netron_str){text, before});
    netron_abi_put_bytes(&writer, (netron_bytes){bytes, body});
    netron_abi_put_str(&writer, (netron_str){text, behind});
    netron_err err = nt_link_end(f->link, &writer);
    memset(bytes, 0xee, body);
    free(bytes);
    free(text);
    return err;
}

static void check_idle(const fixture *f)
{
    assert_int_equal(f->link->unsent, 0);
    assert_int_equal(f->link->bytes_out, f->size);
    assert_false(f->link->is_full || f->link->is_writing);
    assert_false(nt_timer_is_running(&f->link->stalled));
}

typedef struct shape {
    size_t pending; /* bytes of a message before it */
    size_t before, behind;
} shape;

static const shape shapes[] = {{0, 0, 0}, {0, 100, 0}, {7, 5, 20}, {70000, 3, 300}, {10, 3000, 5000}};

static void send_all(fixture *f, const shape *s)
{
    if (s->pending != 0)
        assert_int_equal(send_list(f, s->pending, 1, 0), NETRON_OK);
    assert_int_equal(send_list(f, s->before, BODY, s->behind), NETRON_OK);
    assert_int_equal(send_list(f, 1, 1, 1), NETRON_OK);
    assert_int_equal(send_list(f, 1, BODY, 1), NETRON_OK);
    assert_int_equal(send_list(f, 2, 2, 2), NETRON_OK);
}

static bool is_near(size_t k, size_t border)
{
    return k + 20 >= border && k <= border + 20;
}

/* The first try takes k bytes, for every k near a border and some between. */
static void try_all_partial_writes(netron_framing framing, const shape *s)
{
    fixture plain;
    open_link(&plain, framing, false);
    send_all(&plain, s);
    drain(&plain);
    check_idle(&plain);
    size_t head = plain.size - 2 * BODY;
    for (size_t k = 0; k <= plain.size + 1; k++) {
        if (k > 20 && !is_near(k, s->pending) && !is_near(k, s->pending + s->before) &&
            !is_near(k, s->pending + s->before + BODY) &&
            !is_near(k, s->pending + s->before + BODY + s->behind) &&
            !is_near(k, plain.size) && !is_near(k, head) && k % 4099 != 0)
            continue;
        fixture f;
        open_link(&f, framing, true);
        f.budget = k;
        send_all(&f, s);
        assert_true(f.tries != 0);
        drain(&f);
        if (f.size != plain.size || memcmp(f.out, plain.out, f.size) != 0)
            fail_msg("framing %d, %zu bytes before, %zu taken: not what a copy gives",
                (int)framing, s->pending, k);
        check_idle(&f);
        close_link(&f);
    }
    close_link(&plain);
}

static void test_what_the_transport_does_not_take_at_once_follows_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(shapes); i++) {
        try_all_partial_writes(NETRON_FRAMING_LENGTH, &shapes[i]);
        try_all_partial_writes(NETRON_FRAMING_WEBSOCKET, &shapes[i]);
    }
}

static void test_message_that_is_taken_leaves_at_once_with_all_before_it(void **state)
{
    (void)state;
    fixture f;
    open_link(&f, NETRON_FRAMING_LENGTH, true);
    assert_int_equal(send_list(&f, 10, 10, 10), NETRON_OK);
    assert_int_equal(f.size, 0); /* until the turn ends */
    assert_int_equal(send_list(&f, 10, BODY, 10), NETRON_OK);
    assert_int_equal(f.tries, 1);
    assert_true(f.size > BODY + 60);
    check_idle(&f);
    drain(&f);
    close_link(&f);
}

static void test_less_than_a_batch_is_copied_until_it_is_one(void **state)
{
    (void)state;
    enum { HALF = NT_LINK_LEND_BATCH / 2 };
    fixture f;
    open_link(&f, NETRON_FRAMING_WEBSOCKET, true);
    assert_int_equal(send_list(&f, 0, HALF, 0), NETRON_OK);
    assert_int_equal(f.tries, 0);
    assert_int_equal(send_list(&f, 0, HALF, 0), NETRON_OK);
    assert_int_equal(f.tries, 1);
    assert_true(f.size > NT_LINK_LEND_BATCH);
    check_idle(&f);
    assert_int_equal(send_list(&f, 0, HALF, 0), NETRON_OK);
    assert_int_equal(f.tries, 1);
    drain(&f);
    check_idle(&f);
    close_link(&f);
}

/* Whoever waits for room goes on when what was not taken has gone. */
static void test_writers_wait_while_a_part_has_not_been_taken(void **state)
{
    (void)state;
    fixture f;
    open_link(&f, NETRON_FRAMING_WEBSOCKET, true);
    f.budget = 1000;
    assert_int_equal(send_list(&f, 0, BODY, 0), NETRON_OK);
    assert_true(nt_link_is_full(f.link));
    assert_true(f.link->is_writing && nt_timer_is_running(&f.link->stalled));
    assert_int_equal(f.link->unsent + f.size, BODY + 10 + 5 + 1 + 1 + 1); /* heads and empty texts */
    assert_int_equal(send_list(&f, 0, BODY, 0), NETRON_OK);
    assert_int_equal(f.tries, 1); /* it would be out of order */
    turn(&f);
    assert_int_equal(f.writables, 0);
    drain(&f);
    assert_int_equal(f.writables, 1);
    check_idle(&f);
    close_link(&f);
}

static void test_limit_of_a_message_is_the_same_for_what_is_lent(void **state)
{
    (void)state;
    for (int lends = 0; lends < 2; lends++) {
        fixture f;
        open_link(&f, NETRON_FRAMING_WEBSOCKET, lends == 1);
        /* The list, two texts of 10 bytes and the head of the bytes are around it. */
        size_t around = 1 + 11 + 5 + 11;
        size_t most = f.limits.max_message_bytes - around;
        assert_int_equal(send_list(&f, 10, most, 10), NETRON_OK);
        drain(&f);
        size_t size = f.size;
        assert_int_equal(send_list(&f, 10, most + 1, 10), NETRON_TOO_LARGE);
        assert_int_equal(send_list(&f, 10, most + 20, 10), NETRON_TOO_LARGE);
        assert_int_equal(send_list(&f, 10, BODY, most), NETRON_TOO_LARGE);
        drain(&f);
        assert_int_equal(f.size, size); /* nothing of them */
        assert_int_equal(send_list(&f, 1, BODY, 1), NETRON_OK);
        drain(&f);
        assert_true(f.size > size + BODY);
        check_idle(&f);
        close_link(&f);
    }
}

/* Two in a message, one inside of an ext, and more behind than was thought of: copied. */
static netron_err send_mixed(fixture *f)
{
    static char body[NT_LINK_LEND_BATCH];
    nt_writer writer;
    memset(body, 'm', sizeof body);
    assert_true(nt_link_begin(f->link, &writer));
    writer.flags = 0;
    netron_abi_put_list(&writer, 6);
    netron_abi_put_bytes(&writer, (netron_bytes){body, sizeof body});
    netron_abi_put_str(&writer, (netron_str){body, sizeof body});
    size_t begin = nt_ext_begin(&writer);
    netron_abi_put_bytes(&writer, (netron_bytes){body, NT_LEND_MIN});
    netron_abi_put_int(&writer, 70000);
    nt_ext_end(&writer, begin, NT_EXT_ERROR);
    netron_abi_put_bytes(&writer, (netron_bytes){body, sizeof body});
    for (int i = 0; i < 2; i++) {
        begin = nt_ext_begin(&writer);
        netron_abi_put_str(&writer, (netron_str){body, 3});
        nt_ext_end(&writer, begin, NT_EXT_ERROR);
    }
    assert_int_equal(nt_writer_size(&writer), 1 + 3 * (5 + sizeof body) + 4 + 3 + NT_LEND_MIN + 5 +
                                                  2 * (2 + 4));
    netron_err err = nt_link_end(f->link, &writer);
    memset(body, 'x', sizeof body);
    return err;
}

static void test_messages_of_many_large_parts_are_what_a_copy_gives(void **state)
{
    (void)state;
    fixture f, plain;
    open_link(&plain, NETRON_FRAMING_WEBSOCKET, false);
    open_link(&f, NETRON_FRAMING_WEBSOCKET, true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send_mixed(&plain), NETRON_OK);
        assert_int_equal(send_mixed(&f), NETRON_OK);
    }
    drain(&plain);
    drain(&f);
    assert_int_equal(f.size, plain.size);
    assert_memory_equal(f.out, plain.out, f.size);
    check_idle(&f);
    close_link(&f);
    close_link(&plain);
}

/* A message that is begun, lent bytes and given up: nothing refers to them any more. */
static void test_message_that_failed_keeps_nothing_of_what_it_was_lent(void **state)
{
    (void)state;
    fixture f;
    nt_writer writer;
    uint8_t *bytes = calloc(1, BODY);
    open_link(&f, NETRON_FRAMING_LENGTH, true);
    assert_int_equal(send_list(&f, 1, 1, 1), NETRON_OK);
    assert_true(nt_link_begin(f.link, &writer));
    netron_abi_put_bytes(&writer, (netron_bytes){bytes, BODY});
    netron_abi_put_str(&writer, (netron_str){"\xff", 1});
    assert_int_equal(nt_link_end(f.link, &writer), NETRON_INVALID);
    free(bytes);
    assert_int_equal(send_list(&f, 1, 1, 1), NETRON_OK);
    drain(&f);
    assert_int_equal(f.tries, 0);
    assert_int_equal(f.size, 2 * (4 + 1 + 2 + 3 + 2));
    check_idle(&f);
    close_link(&f);
}

static void test_connection_that_breaks_while_it_writes_is_closed(void **state)
{
    (void)state;
    fixture f;
    open_link(&f, NETRON_FRAMING_LENGTH, true);
    f.is_broken = true;
    assert_int_equal(send_list(&f, 1, BODY, 1), NETRON_OK);
    assert_true(f.is_closing);
    assert_int_equal(f.link->error, NETRON_UNAVAILABLE);
    close_link(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_transport_does_not_take_at_once_follows_in_order),
        cmocka_unit_test(test_message_that_is_taken_leaves_at_once_with_all_before_it),
        cmocka_unit_test(test_less_than_a_batch_is_copied_until_it_is_one),
        cmocka_unit_test(test_writers_wait_while_a_part_has_not_been_taken),
        cmocka_unit_test(test_limit_of_a_message_is_the_same_for_what_is_lent),
        cmocka_unit_test(test_messages_of_many_large_parts_are_what_a_copy_gives),
        cmocka_unit_test(test_message_that_failed_keeps_nothing_of_what_it_was_lent),
        cmocka_unit_test(test_connection_that_breaks_while_it_writes_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
