/* link_test.c - messages on their way into a link's chunks, and out of what was received, without
 * any transport below. */
#include "transport/link.h"

#include "support/bytes.h"
#include "support/check.h"

enum { LIMIT = 1000 };

typedef struct fixture {
    nt_loop loop;
    nt_scheme scheme;
    nt_link_limits limits;
    netron_link link;
} fixture;

/* An open link, as far as its messages are concerned. */
static void open_link(fixture *f, netron_framing framing)
{
    memset(f, 0, sizeof *f);
    nt_list_init(&f->loop.dirty);
    f->scheme.framing = framing;
    f->limits = (nt_link_limits){.max_message_bytes = LIMIT, .max_unsent_bytes = SIZE_MAX};
    f->link = (netron_link){.loop = &f->loop,
        .scheme = &f->scheme,
        .limits = &f->limits,
        .state = NT_LINK_OPEN,
        .head_room = 4,
        .is_server = true};
}

static void drop_queue(fixture *f)
{
    while (f->link.queue != NULL) {
        nt_chunk *next = f->link.queue->next;
        nt_chunk_unref(&f->loop.chunks, f->link.queue);
        f->link.queue = next;
    }
    f->link.queue_last = NULL;
}

static void close_link(fixture *f)
{
    drop_queue(f);
    nt_chunk_unref(&f->loop.chunks, f->link.out);
    nt_chunk_unref(&f->loop.chunks, f->link.in);
    nt_chunks_fini(&f->loop.chunks);
}

static netron_err send_bytes(fixture *f, size_t size)
{
    static const uint8_t data[2 * LIMIT];
    nt_writer writer;
    assert_true(nt_link_begin(&f->link, &writer));
    nt_put_raw(&writer, data, size);
    return nt_link_end(&f->link, &writer);
}

/* ---- out ---- */

/* Wherever in a chunk they come to stand: the frame's head takes nothing from the limit. */
static void test_message_of_the_limit_is_sent_wherever_it_stands_and_no_larger_one(void **state)
{
    (void)state;
    static const netron_framing framings[] = {NETRON_FRAMING_LENGTH, NETRON_FRAMING_WEBSOCKET};
    for (size_t k = 0; k < NT_COUNT(framings); k++) {
        fixture f;
        uint32_t seed = 1;
        open_link(&f, framings[k]);
        for (int i = 0; i < 200000; i++) {
            seed = seed * 1664525 + 1013904223;
            assert_int_equal(send_bytes(&f, (seed >> 20) % LIMIT), NETRON_OK);
            size_t size = LIMIT - 8 + (seed >> 8) % 10; /* one over it at most */
            netron_err err = send_bytes(&f, size);
            if (err != (size <= LIMIT ? NETRON_OK : NETRON_TOO_LARGE))
                fail_msg("framing %zu, message %d of %zu bytes: %d", k, i, size, (int)err);
            drop_queue(&f);
        }
        close_link(&f);
    }
}

static void test_message_that_failed_leaves_nothing_behind(void **state)
{
    (void)state;
    fixture f;
    nt_writer writer;
    open_link(&f, NETRON_FRAMING_LENGTH);
    assert_int_equal(send_bytes(&f, 3), NETRON_OK);
    size_t unsent = f.link.unsent, to = f.link.out->to;
    assert_int_equal(unsent, 7);
    assert_memory_equal(f.link.out->data, "\0\0\0\3\0\0\0", 7);
    assert_int_equal(send_bytes(&f, LIMIT + 1), NETRON_TOO_LARGE);
    assert_true(nt_link_begin(&f.link, &writer));
    netron_abi_put_str(&writer, (netron_str){"\xff", 1});
    assert_int_equal(nt_link_end(&f.link, &writer), NETRON_INVALID);
    assert_int_equal(f.link.unsent, unsent);
    assert_int_equal(f.link.out->to, to);
    close_link(&f);
}

static void test_link_that_is_not_open_takes_no_message(void **state)
{
    (void)state;
    static const nt_link_state states[] = {
        NT_LINK_CONNECTING, NT_LINK_UPGRADING, NT_LINK_CLOSING, NT_LINK_CLOSED};
    fixture f;
    nt_writer writer;
    open_link(&f, NETRON_FRAMING_LENGTH);
    for (size_t i = 0; i < NT_COUNT(states); i++) {
        f.link.state = states[i];
        assert_false(nt_link_begin(&f.link, &writer));
        assert_int_equal(netron_last_error()->code, NETRON_UNAVAILABLE);
    }
    close_link(&f);
}

/* ---- in: lengths ---- */

static void receive(fixture *f, nt_slice bytes)
{
    if (f->link.in == NULL)
        f->link.in = nt_chunk_take(&f->loop.chunks, NT_CHUNK_BYTES);
    assert_true(f->link.in->size - f->link.in->to >= bytes.len);
    memcpy(f->link.in->data + f->link.in->to, bytes.ptr, bytes.len);
    f->link.in->to += bytes.len;
}

static void test_messages_are_cut_by_their_lengths_at_each_byte_split(void **state)
{
    (void)state;
    static const nt_slice flow = NT_BYTES("\0\0\0\3abc\0\0\0\0\0\0\0\2de");
    static const char *const expected[] = {"abc", "", "de"};
    for (size_t split = 0; split <= flow.len; split++) {
        fixture f;
        nt_message message;
        size_t count = 0;
        open_link(&f, NETRON_FRAMING_LENGTH);
        for (int part = 0; part < 2; part++) {
            receive(&f, part == 0 ? (nt_slice){flow.ptr, split}
                                  : (nt_slice){flow.ptr + split, flow.len - split});
            nt_step step;
            while ((step = nt_length_next(&f.link, &message)) == NT_STEP_DONE) {
                assert_true(count < NT_COUNT(expected));
                assert_int_equal(message.size, strlen(expected[count]));
                assert_memory_equal(message.data, expected[count], message.size);
                assert_false(message.is_text);
                count++;
            }
            assert_int_equal(step, NT_STEP_MORE);
        }
        assert_int_equal(count, NT_COUNT(expected));
        assert_int_equal(f.link.in->from, f.link.in->to);
        close_link(&f);
    }
}

/* The length alone decides: nothing is waited for. */
static void test_length_over_the_limit_is_refused_at_once(void **state)
{
    (void)state;
    static const struct {
        nt_slice head;
        nt_step step;
    } rows[] = {
        {NT_BYTES("\0\0\3\xe8"), NT_STEP_MORE}, /* 1000 */
        {NT_BYTES("\0\0\3\xe9"), NT_STEP_BAD},
        {NT_BYTES("\xff\xff\xff\xff"), NT_STEP_BAD},
    };
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        fixture f;
        nt_message message;
        open_link(&f, NETRON_FRAMING_LENGTH);
        f.link.state = NT_LINK_CLOSED; /* nothing below that could be told */
        receive(&f, rows[i].head);
        assert_int_equal(nt_length_next(&f.link, &message), rows[i].step);
        close_link(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_of_the_limit_is_sent_wherever_it_stands_and_no_larger_one),
        cmocka_unit_test(test_message_that_failed_leaves_nothing_behind),
        cmocka_unit_test(test_link_that_is_not_open_takes_no_message),
        cmocka_unit_test(test_messages_are_cut_by_their_lengths_at_each_byte_split),
        cmocka_unit_test(test_length_over_the_limit_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
