/* codec.c - what the encoding of a call costs, with our writer and reader and with msgpack-c: a call
 * is [id of 36 characters, "add", i64, i64], its answer their sum. Each is written once and read once.
 *
 * Both make the same bytes, which is checked, and both keep what they can from one call to the next.
 * Ours are linked one object at a time, without the optimisation of libnetron.so as a whole; they check
 * that text is UTF-8, msgpack-c does not. Readers are not zeroed before they are set up, as on the hot
 * path of the library.
 *
 * Prints ns per call of each, and ours as a share of theirs.
 */
#include "base/assert.h"
#include "measure.h"
#include "wire/msgpack.h"

#include <msgpack.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 20, CALLS = 50000, ROOM = 256, ZONE = 8192 };

static const char service_id[] = "6f1ed002-ab59-4962-a5d5-0bd2c1f2e1a7";
static const char member[] = "add";

/* A call's bytes and its answer's, as encoded last. */
typedef struct wire {
    uint8_t call[ROOM], answer[ROOM];
    size_t call_size, answer_size;
} wire;

static void must(bool is_good, const char *what)
{
    if (!is_good)
        bench_fail("%s failed", what);
}

/* ---- ours ---- */

static void write_ours(wire *w, int64_t a, int64_t b)
{
    nt_writer writer;
    nt_writer_fixed(&writer, w->call, sizeof w->call);
    netron_abi_put_list(&writer, 4);
    netron_abi_put_str(&writer, (netron_str){service_id, sizeof service_id - 1});
    netron_abi_put_str(&writer, (netron_str){member, sizeof member - 1});
    nt_put_i64(&writer, a);
    nt_put_i64(&writer, b);
    must(writer.err == NETRON_OK, "writing a call");
    w->call_size = nt_writer_size(&writer);
}

static void answer_ours(wire *w)
{
    nt_reader reader NT_UNINITIALIZED;
    nt_writer writer;
    uint32_t count;
    netron_str id, name;
    int64_t a = 0, b = 0;
    nt_reader_init(&reader, (nt_slice){w->call, w->call_size}, NULL);
    must(nt_read_array(&reader, &count) && count == 4 && nt_read_text(&reader, &id) &&
             nt_read_text(&reader, &name) && nt_get_i64(&reader, &a) && nt_get_i64(&reader, &b),
        "reading a call");
    must(id.size == sizeof service_id - 1 && name.size == sizeof member - 1, "a call");
    nt_writer_fixed(&writer, w->answer, sizeof w->answer);
    nt_put_i64(&writer, a + b);
    must(writer.err == NETRON_OK, "writing an answer");
    w->answer_size = nt_writer_size(&writer);
}

static int64_t read_ours(const wire *w)
{
    nt_reader reader NT_UNINITIALIZED;
    int64_t sum = 0;
    nt_reader_init(&reader, (nt_slice){w->answer, w->answer_size}, NULL);
    must(nt_get_i64(&reader, &sum), "reading an answer");
    return sum;
}

static void call_ours(wire *w, int64_t a, int64_t b)
{
    write_ours(w, a, b);
    answer_ours(w);
    must(read_ours(w) == a + b, "the sum");
}

/* ---- msgpack-c ---- */

static msgpack_zone zone; /* where it reads to; emptied before each message, not freed */

/* Writes to w->call and w->answer. */
typedef struct room {
    uint8_t *to;
    size_t size;
} room;

static int put(void *user, const char *data, size_t size)
{
    room *r = user;
    if (size > ROOM - r->size)
        return -1;
    memcpy(r->to + r->size, data, size);
    r->size += size;
    return 0;
}

static msgpack_object parse(const uint8_t *data, size_t size)
{
    msgpack_object object;
    size_t used = 0;
    msgpack_zone_clear(&zone);
    must(msgpack_unpack((const char *)data, size, &used, &zone, &object) == MSGPACK_UNPACK_SUCCESS,
        "msgpack_unpack");
    return object;
}

static int64_t integer(const msgpack_object *object)
{
    must(object->type == MSGPACK_OBJECT_POSITIVE_INTEGER ||
             object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER,
        "an integer");
    return object->via.i64;
}

static void write_theirs(wire *w, int64_t a, int64_t b)
{
    room r = {w->call, 0};
    msgpack_packer packer;
    msgpack_packer_init(&packer, &r, put);
    must(msgpack_pack_array(&packer, 4) == 0 &&
             msgpack_pack_str_with_body(&packer, service_id, sizeof service_id - 1) == 0 &&
             msgpack_pack_str_with_body(&packer, member, sizeof member - 1) == 0 &&
             msgpack_pack_int64(&packer, a) == 0 && msgpack_pack_int64(&packer, b) == 0,
        "packing a call");
    w->call_size = r.size;
}

static void answer_theirs(wire *w)
{
    room r = {w->answer, 0};
    msgpack_packer packer;
    msgpack_object call = parse(w->call, w->call_size);
    must(call.type == MSGPACK_OBJECT_ARRAY && call.via.array.size == 4, "a call");
    const msgpack_object *items = call.via.array.ptr;
    must(items[0].type == MSGPACK_OBJECT_STR && items[0].via.str.size == sizeof service_id - 1 &&
             items[1].type == MSGPACK_OBJECT_STR && items[1].via.str.size == sizeof member - 1,
        "a call");
    msgpack_packer_init(&packer, &r, put);
    must(msgpack_pack_int64(&packer, integer(&items[2]) + integer(&items[3])) == 0,
        "packing an answer");
    w->answer_size = r.size;
}

static void call_theirs(wire *w, int64_t a, int64_t b)
{
    write_theirs(w, a, b);
    answer_theirs(w);
    msgpack_object answer = parse(w->answer, w->answer_size);
    must(integer(&answer) == a + b, "the sum");
}

/* ---- beside each other ---- */

typedef void (*call_fn)(wire *w, int64_t a, int64_t b);

static double time_round(call_fn call)
{
    wire w;
    uint64_t begun = bench_now_ns();
    for (int64_t i = 0; i < CALLS; i++)
        call(&w, 70000 + i, 1);
    return (double)(bench_now_ns() - begun) / CALLS;
}

static void compare(int64_t a, int64_t b)
{
    wire ours, theirs;
    call_ours(&ours, a, b);
    call_theirs(&theirs, a, b);
    must(ours.call_size == theirs.call_size && ours.answer_size == theirs.answer_size &&
             memcmp(ours.call, theirs.call, ours.call_size) == 0 &&
             memcmp(ours.answer, theirs.answer, ours.answer_size) == 0,
        "the same bytes");
}

/* Rounds in turn; the quickest of each is the least disturbed. */
int main(void)
{
    double ours = 0, theirs = 0;
    must(msgpack_zone_init(&zone, ZONE), "msgpack_zone_init");
    compare(70000, 1);
    compare(-70000, 70001);
    for (unsigned i = 0; i < ROUNDS; i++) {
        double one = time_round(call_ours), other = time_round(call_theirs);
        ours = i == 0 || one < ours ? one : ours;
        theirs = i == 0 || other < theirs ? other : theirs;
    }
    printf(
        "{\"netron_ns\":%.1f,\"msgpack_c_ns\":%.1f,\"ratio\":%.2f}\n", ours, theirs, ours / theirs);
    msgpack_zone_destroy(&zone);
    return 0;
}
