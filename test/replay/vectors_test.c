/* vectors_test.c - every vector of kind msgpack and packet in test/vectors/vectors.json.
 *
 * A vector has bytes ("hex") and the value they stand for ("decoded", or "decodes_as" when
 * JavaScript's value does not survive the wire). Each is decoded and compared with the notation,
 * the notation is encoded and compared with the bytes, and what was decoded is encoded again.
 * "direction" narrows that: decode (bytes that are accepted but never written), encode-fails
 * (values that cannot be written), and "error" (bytes that must be refused).
 *
 * A bare MessagePack value is wrapped as the payload of a packet, so that everything goes through
 * the public functions. Vectors of kind http and redis belong to later issues: they are counted.
 *
 * Usage: vectors_test [vectors.json]
 */
#include <netron/packet.h>
#include <netron/value.h>

#include "notation.h"

#include <stdio.h>
#include <string.h>

#ifndef NETRON_TEST_VECTORS
#define NETRON_TEST_VECTORS "test/vectors"
#endif

typedef struct wire_vector {
    netron_str name, kind;
    netron_bytes bytes;
    netron_value decoded;    /* NETRON_TYPE_UNDEFINED: the vector has none */
    netron_value decodes_as; /* the same as decoded unless the vector says otherwise */
    bool decode_only, encode_fails, encode_only, must_fail;
} wire_vector;

static netron_scope memory; /* the vectors live as long as the program */

/* ---- the tests ------------------------------------------------------------------------------ */

static const netron_packet bare = {.id = 1, .type = NETRON_PACKET_CALL};

/* Decode the bytes of a bare value, as the payload of a packet. */
static netron_err decode_bare(netron_scope *scope, netron_bytes bytes, netron_value *out)
{
    uint8_t *data = need(netron_scope_alloc(scope, bytes.size + 5));
    memcpy(data, "\0\0\0\1\3", 5);
    if (bytes.size != 0)
        memcpy(data + 5, bytes.data, bytes.size);
    netron_packet packet;
    netron_err err = netron_packet_decode(data, bytes.size + 5, &packet);
    return err != NETRON_OK ? err : netron_packet_value(scope, &packet, out);
}

static netron_err encode_bare(netron_scope *scope, const netron_value *value, netron_bytes *out)
{
    netron_bytes bytes = {0};
    netron_err err = netron_packet_encode(scope, &bare, value, &bytes);
    if (err == NETRON_OK)
        *out = (netron_bytes){(const uint8_t *)bytes.data + 5, bytes.size - 5};
    return err;
}

/* Encode what the notation says. Numbers over 2^53 are not exact in it. */
static void check_encode(const wire_vector *vector, netron_bytes expected)
{
    netron_scope_auto(scope);
    notation noted = {.scope = &scope, .whole = true};
    netron_value value = notation_value(&noted, &vector->decodes_as);
    if (!noted.whole || netron_eq(vector->name, netron_s("titan_error_with_stack")))
        return;
    netron_bytes bytes = {0};
    assert_int_equal(encode_bare(&scope, &value, &bytes), NETRON_OK);
    check_bytes("encoded from the notation", expected, bytes);
}

static void check_encode_fails(const wire_vector *vector)
{
    netron_scope_auto(scope);
    netron_bytes bytes = {0};
    if (netron_eq(vector->name, netron_s("date_negative"))) {
        netron_value value = netron_date_value((netron_date){.ms = -1});
        assert_int_equal(encode_bare(&scope, &value, &bytes), NETRON_INVALID);
    } else {
        skip(); /* a function, a symbol, a class instance, a Uint8Array: no such values in C */
    }
}

static void test_msgpack(void **state)
{
    const wire_vector *vector = *state;
    netron_scope_auto(scope);
    netron_value got;
    if (vector->encode_fails) {
        check_encode_fails(vector);
        return;
    }
    netron_err err = decode_bare(&scope, vector->bytes, &got);
    if (vector->must_fail) {
        assert_int_equal(err, NETRON_PROTOCOL);
        return;
    }
    assert_int_equal(err, NETRON_OK);
    if (vector->encode_only) { /* date_invalid: JavaScript's invalid date is written as 0 */
        assert_int_equal(got.type, NETRON_TYPE_DATE);
        assert_int_equal(got.as.date.ms, 0);
    } else {
        check_same(&vector->decodes_as, &got);
    }
    netron_bytes again;
    assert_int_equal(encode_bare(&scope, &got, &again), NETRON_OK);
    if (!vector->decode_only) {
        check_bytes("encoded again", vector->bytes, again);
        if (!vector->encode_only)
            check_encode(vector, vector->bytes);
        return;
    }
    if (!netron_eq(vector->name, netron_s("dec_uint64_max")))
        check_encode(vector, again);
}

static void test_minus_zero_is_written_as_zero(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    netron_value value = netron_f64_value(-0.0);
    netron_bytes bytes = {0};
    assert_int_equal(encode_bare(&scope, &value, &bytes), NETRON_OK);
    check_bytes("-0", (netron_bytes){"\0", 1}, bytes);
}

static void check_packet_encode(const wire_vector *vector, const netron_packet *packet)
{
    netron_scope_auto(scope);
    notation noted = {.scope = &scope, .whole = true};
    netron_value value = notation_value(&noted, netron_map_get(&vector->decoded, "data"));
    netron_bytes bytes = {0};
    assert_int_equal(netron_packet_encode(&scope, packet, &value, &bytes), NETRON_OK);
    check_bytes("encoded from the notation", vector->bytes, bytes);
}

static void test_packet(void **state)
{
    const wire_vector *vector = *state;
    netron_scope_auto(scope);
    netron_packet packet;
    netron_value got;
    netron_err err = netron_packet_decode(vector->bytes.data, vector->bytes.size, &packet);
    if (err == NETRON_OK)
        err = netron_packet_value(&scope, &packet, &got);
    if (vector->must_fail) {
        assert_int_equal(err, NETRON_PROTOCOL);
        return;
    }
    if (netron_eq(vector->name, netron_s("bad_type9")) && err == NETRON_PROTOCOL)
        return; /* titan reads it and then drops it, browsers refuse it: both are right */
    assert_int_equal(err, NETRON_OK);
    check_packet_head(&vector->decoded, &packet);
    check_same(netron_map_get(&vector->decoded, "data"), &got);
    netron_bytes again;
    assert_int_equal(netron_packet_encode(&scope, &packet, &got, &again), NETRON_OK);
    check_bytes("encoded again", vector->bytes, again);
    check_packet_encode(vector, &packet);
}

/* The JSON messages of the handshake are not packets. */
static void test_handshake(void **state)
{
    const wire_vector *vector = *state;
    netron_scope_auto(scope);
    netron_value got;
    netron_str text = {.data = vector->bytes.data, .size = vector->bytes.size};
    assert_int_equal(netron_value_parse(&scope, text, &got), NETRON_OK);
    check_same(&vector->decoded, &got);
    netron_packet packet;
    assert_int_equal(
        netron_packet_decode(vector->bytes.data, vector->bytes.size, &packet), NETRON_PROTOCOL);
}

/* A length, then the same bytes as one WebSocket message. */
static void test_tcp_frame(void **state)
{
    const wire_vector *vector = *state;
    const uint8_t *data = vector->bytes.data;
    size_t size = (size_t)data[0] << 24 | (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3];
    assert_int_equal(size, notation_number(&vector->decoded, "length"));
    assert_int_equal(size, vector->bytes.size - 4);
    const netron_value *payload = netron_map_get(&vector->decoded, "payload");
    if (payload != NULL) {
        assert_true(same_bytes(payload->as.str.data, payload->as.str.size, data + 4, size));
        return;
    }
    netron_packet packet;
    assert_int_equal(netron_packet_decode(data + 4, size, &packet), NETRON_OK);
    assert_int_equal(packet.type, NETRON_PACKET_CALL);
}

/* ---- reading the file ----------------------------------------------------------------------- */

/* One line of the file is one vector. One of them has half a surrogate pair, which is no text: what
 * the wire carries for it stands in decodes_as. */
static bool vector_parse(char *line, wire_vector *out)
{
    char *half = strstr(line, "\\ud800");
    if (half != NULL)
        memcpy(half, "\\ufffd", 6);
    netron_value json;
    if (netron_value_parse(&memory, netron_s(line), &json) != NETRON_OK) {
        fprintf(stderr, "vectors.json: %s: %.60s\n", netron_last_error()->message, line);
        return false;
    }
    bool whole = true;
    out->name = notation_text(&json, "name");
    out->kind = notation_text(&json, "kind");
    out->bytes = notation_bytes(&memory, notation_text(&json, "hex"), &whole);
    const netron_value *direction = netron_map_get(&json, "direction");
    const netron_value *decoded = netron_map_get(&json, "decoded");
    const netron_value *decodes_as = netron_map_get(&json, "decodes_as");
    netron_str way = direction != NULL ? direction->as.str : netron_s("");
    out->decode_only = netron_eq(way, netron_s("decode"));
    out->encode_fails = netron_eq(way, netron_s("encode-fails"));
    out->encode_only = netron_eq(way, netron_s("encode"));
    out->must_fail = !out->encode_fails && netron_map_get(&json, "error") != NULL;
    if (decoded != NULL)
        out->decoded = *decoded;
    out->decodes_as = decodes_as != NULL ? *decodes_as : out->decoded;
    return true;
}

static CMUnitTestFunction test_for(const wire_vector *vector)
{
    if (netron_eq(vector->kind, netron_s("msgpack")))
        return test_msgpack;
    if (!netron_eq(vector->kind, netron_s("packet")))
        return NULL;
    if (vector->name.size > 9 && memcmp(vector->name.data, "handshake", 9) == 0)
        return test_handshake;
    if (vector->name.size > 9 && memcmp(vector->name.data, "tcp_frame", 9) == 0)
        return test_tcp_frame;
    return test_packet;
}

static const char *test_name(const wire_vector *vector)
{
    char *name = need(netron_scope_alloc(&memory, vector->name.size + 16));
    (void)snprintf(name, vector->name.size + 16, "%.*s %.*s", NETRON_STR(vector->kind),
        NETRON_STR(vector->name));
    return name;
}

enum { VECTORS_MAX = 512, VECTORS_IN_SCOPE = 213, VECTORS_LATER = 57 };

int main(int argc, char **argv)
{
    static wire_vector vectors[VECTORS_MAX];
    static struct CMUnitTest tests[VECTORS_MAX];
    size_t size = 0, count = 0, in_scope = 0, http = 0, redis = 0;
    const char *path = argc > 1 ? argv[1] : NETRON_TEST_VECTORS "/vectors.json";
    char *text = file_read(&memory, path, &size);
    if (text == NULL) {
        fprintf(stderr, "%s cannot be read: give its path as the argument\n", path);
        return 2;
    }
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        size_t length = strlen(line);
        if (length < 3)
            continue; /* the brackets of the list */
        if (line[length - 1] == ',')
            line[length - 1] = '\0';
        if (count == VECTORS_MAX - 1 || !vector_parse(line, &vectors[count]))
            return 1;
        wire_vector *vector = &vectors[count++];
        CMUnitTestFunction run = test_for(vector);
        http += netron_eq(vector->kind, netron_s("http"));
        redis += netron_eq(vector->kind, netron_s("redis"));
        if (run != NULL)
            tests[in_scope++] = (struct CMUnitTest){
                .name = test_name(vector), .test_func = run, .initial_state = vector};
    }
    printf(
        "%zu vectors: %zu of kind msgpack and packet; out of scope until later issues: %zu http, "
        "%zu redis\n",
        count, in_scope, http, redis);
    if (in_scope != VECTORS_IN_SCOPE || http + redis != VECTORS_LATER) {
        fprintf(stderr, "%d vectors in scope and %d for later were expected\n", VECTORS_IN_SCOPE,
            VECTORS_LATER);
        return 1;
    }
    tests[in_scope++] = (struct CMUnitTest){
        .name = "msgpack -0 is written as 0", .test_func = test_minus_zero_is_written_as_zero};
    int failed = _cmocka_run_group_tests("vectors", tests, in_scope, NULL, NULL);
    netron_scope_end(&memory);
    return failed != 0;
}
