/* link_ahead_test.c - the order in which messages leave when some of them overtake. */
#include "transport/link_parts.h"

#include "support/check.h"
#include "transport/frame_view.h"
#include "transport/keep.h"
#include "wire/packet.h"

enum { LIMIT = 100000, BULK = 3000, IDS_MAX = 200 };

typedef struct fixture {
    nt_loop loop;
    nt_scheme scheme;
    nt_link_limits limits;
    netron_link link;
    uint32_t ids[IDS_MAX]; /* of what waits, in its order */
    size_t count;
} fixture;

static void open_link(fixture *f, netron_framing framing, bool is_server)
{
    memset(f, 0, sizeof *f);
    nt_list_init(&f->loop.dirty);
    f->scheme.framing = framing;
    f->limits = (nt_link_limits){.max_message_bytes = LIMIT, .max_unsent_bytes = SIZE_MAX};
    f->link = (netron_link){.loop = &f->loop,
        .scheme = &f->scheme,
        .limits = &f->limits,
        .state = NT_LINK_OPEN,
        .mark = SIZE_MAX,
        .early_at = SIZE_MAX,
        .is_server = is_server};
    nt_link_set_head_room(&f->link);
}

static void close_link(fixture *f)
{
    nt_chunk_unref(&f->loop.chunks, f->link.out);
    nt_link_release(&f->link, &f->link.queue);
    nt_chunks_fini(&f->loop.chunks);
}

static netron_err send_packet(fixture *f, uint32_t id, size_t size)
{
    static const uint8_t nothing[2 * LIMIT];
    nt_writer writer;
    assert_true(nt_link_begin(&f->link, &writer));
    nt_be_store32(writer.at, id);
    writer.at[4] = NETRON_PACKET_CALL | NT_PACKET_IMPULSE;
    writer.at += NT_PACKET_HEAD;
    nt_put_raw(&writer, nothing, size);
    return nt_link_end(&f->link, &writer);
}

static netron_err send_ahead(fixture *f, uint32_t id, size_t size)
{
    nt_link_set_apart(&f->link);
    netron_err err = send_packet(f, id, size);
    nt_link_go_ahead(&f->link);
    return err;
}

static void look_at_chunk(fixture *f, const nt_chunk *chunk)
{
    for (size_t at = chunk->from; at != chunk->to;) {
        nt_frame_view view;
        assert_true(nt_frame_look(&view, f->scheme.framing, chunk->data + at, chunk->to - at));
        assert_true(view.is_packet);
        assert_int_equal(view.flags, NETRON_PACKET_CALL | NT_PACKET_IMPULSE);
        f->ids[f->count++] = view.id;
        at += view.size;
    }
}

/* What waits is `ids`, and all that is counted. */
#define CHECK_WAITING(f, ...)                                                                      \
    check_waiting(f, (const uint32_t[]){__VA_ARGS__},                                              \
        sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
static void check_waiting(fixture *f, const uint32_t *ids, size_t count)
{
    size_t bytes = 0;
    const nt_chunk *last = NULL;
    nt_link_push_out(&f->link);
    f->count = 0;
    for (const nt_chunk *chunk = f->link.queue; chunk != NULL; chunk = chunk->next) {
        look_at_chunk(f, chunk);
        bytes += chunk->to - chunk->from;
        last = chunk;
    }
    assert_int_equal(f->count, count);
    assert_memory_equal(f->ids, ids, count * sizeof *ids);
    assert_ptr_equal(f->link.queue_last, last);
    assert_int_equal(f->link.unsent, bytes);
}

typedef struct kind {
    netron_framing framing;
    bool is_server;
} kind;

static const kind kinds[] = {{NETRON_FRAMING_LENGTH, true}, {NETRON_FRAMING_WEBSOCKET, true},
    {NETRON_FRAMING_WEBSOCKET, false}};

static void test_where_little_waits_the_order_stays(void **state)
{
    (void)state;
    fixture f;
    open_link(&f, NETRON_FRAMING_LENGTH, true);
    assert_int_equal(send_packet(&f, 1, 100), NETRON_OK);
    assert_int_equal(send_ahead(&f, 2, 1), NETRON_OK);
    assert_int_equal(send_packet(&f, 3, 100), NETRON_OK);
    CHECK_WAITING(&f, 1, 2, 3);
    close_link(&f);
}

static void test_what_goes_ahead_keeps_its_own_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(kinds); i++) {
        fixture f;
        open_link(&f, kinds[i].framing, kinds[i].is_server);
        assert_int_equal(send_packet(&f, 1, BULK), NETRON_OK);
        assert_int_equal(send_packet(&f, 2, BULK), NETRON_OK);
        assert_int_equal(send_ahead(&f, 3, 1), NETRON_OK);
        assert_int_equal(send_packet(&f, 4, 1), NETRON_OK);
        assert_int_equal(send_ahead(&f, 5, 1), NETRON_OK);
        assert_int_equal(send_ahead(&f, 6, BULK), NETRON_OK); /* larger than what it was to share */
        assert_int_equal(send_packet(&f, 7, 1), NETRON_OK);
        assert_int_equal(send_ahead(&f, 8, 1), NETRON_OK);
        CHECK_WAITING(&f, 3, 5, 6, 8, 1, 2, 4, 7);
        close_link(&f);
    }
}

static void test_small_ones_share_their_memory(void **state)
{
    (void)state;
    fixture f;
    size_t chunks = 0;
    open_link(&f, NETRON_FRAMING_WEBSOCKET, true);
    assert_int_equal(send_packet(&f, 1, 2 * BULK), NETRON_OK);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(send_ahead(&f, 100 + i, 1), NETRON_OK);
    for (const nt_chunk *chunk = f.link.queue; chunk != NULL; chunk = chunk->next)
        chunks++;
    assert_int_equal(chunks, 2); /* of 8 bytes each, and the one that was overtaken */
    close_link(&f);
}

/* A peer that asks and pings in turns, and reads no answers, must not cost a whole chunk for each. */
static void test_what_is_overtaken_shares_its_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(kinds); i++) {
        fixture f;
        size_t chunks = 0;
        open_link(&f, kinds[i].framing, kinds[i].is_server);
        assert_int_equal(send_packet(&f, 1, 2 * BULK), NETRON_OK);
        for (uint32_t k = 0; k < 40; k++) {
            assert_int_equal(send_ahead(&f, 100 + k, 1), NETRON_OK);
            assert_int_equal(send_packet(&f, 200 + k, 1), NETRON_OK);
        }
        nt_link_push_out(&f.link);
        f.count = 0;
        for (const nt_chunk *chunk = f.link.queue; chunk != NULL; chunk = chunk->next, chunks++)
            look_at_chunk(&f, chunk);
        assert_int_equal(f.count, 81);
        for (uint32_t k = 0; k < 40; k++) {
            assert_int_equal(f.ids[k], 100 + k);
            assert_int_equal(f.ids[41 + k], 200 + k);
        }
        assert_true(chunks <= 4);
        close_link(&f);
    }
}

static void test_search_has_a_bound(void **state)
{
    (void)state;
    fixture f;
    open_link(&f, NETRON_FRAMING_LENGTH, true);
    for (uint32_t i = 1; i <= 100; i++)
        assert_int_equal(send_packet(&f, i, 1), NETRON_OK);
    assert_false(nt_link_may_hold(&f.link, 5000));
    for (uint32_t i = 101; i <= 2000; i++)
        assert_int_equal(send_packet(&f, i, 1), NETRON_OK);
    assert_true(nt_link_may_hold(&f.link, 5000)); /* it was not looked at to the end */
    close_link(&f);
}

static void test_one_that_fails_leaves_nothing_behind(void **state)
{
    (void)state;
    fixture f;
    open_link(&f, NETRON_FRAMING_LENGTH, true);
    assert_int_equal(send_packet(&f, 1, 2 * BULK), NETRON_OK);
    assert_int_equal(send_ahead(&f, 2, LIMIT + 1), NETRON_TOO_LARGE);
    assert_int_equal(send_packet(&f, 3, 1), NETRON_OK);
    nt_link_go_ahead(&f.link); /* nothing was set apart */
    assert_int_equal(send_packet(&f, 4, 1), NETRON_OK);
    CHECK_WAITING(&f, 1, 3, 4);
    close_link(&f);
}

static void test_nothing_goes_before_a_handshake(void **state)
{
    (void)state;
    fixture f;
    nt_keep keep;
    open_link(&f, NETRON_FRAMING_LENGTH, true);
    assert_int_equal(send_packet(&f, 1, 2 * BULK), NETRON_OK);
    nt_keep_init(&keep, &f.loop, NETRON_FRAMING_LENGTH, LIMIT);
    nt_link_keep(&f.link, &keep);
    assert_int_equal(send_ahead(&f, 2, 1), NETRON_OK);
    CHECK_WAITING(&f, 1, 2);
    close_link(&f);
}

static void test_what_waits_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(kinds); i++) {
        fixture f;
        open_link(&f, kinds[i].framing, kinds[i].is_server);
        assert_false(nt_link_may_hold(&f.link, 0x01020304));
        assert_int_equal(send_packet(&f, 0x01020304, BULK), NETRON_OK);
        nt_link_push_out(&f.link);
        assert_int_equal(send_packet(&f, 0x01020305, 1), NETRON_OK); /* in a chunk that is being filled */
        assert_true(nt_link_may_hold(&f.link, 0x01020304));
        assert_true(nt_link_may_hold(&f.link, 0x01020305));
        assert_false(nt_link_may_hold(&f.link, 0x01020306));
        assert_int_equal(send_packet(&f, 0x01020306, 1), NETRON_OK);
        CHECK_WAITING(&f, 0x01020304, 0x01020305, 0x01020306);
        close_link(&f);
    }
}

/* An answer to an upgrade, say: nobody knows what is behind it. */
static void test_bytes_of_no_message_may_be_anything(void **state)
{
    (void)state;
    fixture f;
    open_link(&f, NETRON_FRAMING_WEBSOCKET, true);
    assert_true(nt_link_put_raw(&f.link, "HTTP/1.1 101", 12));
    assert_true(nt_link_may_hold(&f.link, 5));
    close_link(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_little_waits_the_order_stays),
        cmocka_unit_test(test_what_goes_ahead_keeps_its_own_order),
        cmocka_unit_test(test_small_ones_share_their_memory),
        cmocka_unit_test(test_what_is_overtaken_shares_its_memory),
        cmocka_unit_test(test_search_has_a_bound),
        cmocka_unit_test(test_one_that_fails_leaves_nothing_behind),
        cmocka_unit_test(test_nothing_goes_before_a_handshake),
        cmocka_unit_test(test_what_waits_is_found),
        cmocka_unit_test(test_bytes_of_no_message_may_be_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
