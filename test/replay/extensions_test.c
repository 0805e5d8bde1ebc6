/* extensions_test.c - every vector of test/vectors/extensions.json: what our protocol extensions put
 * on the wire (docs/protocol.md), and what peers without them get instead.
 *
 * Each is decoded, compared with what it stands for, and encoded again to the same bytes. "base_hex"
 * is what a peer without the extension int64 gets for the same number.
 */
#include <netron/packet.h>

#include "support/check.h"
#include "wire/msgpack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VECTORS = 29, VECTORS_MAX = 64 };

typedef struct extension_vector {
    netron_str name, kind, hex, base_hex;
    const netron_value *decoded;
    bool decode_only;
} extension_vector;

static netron_scope memory; /* the vectors live as long as the program */

static const netron_value *need(const netron_value *map, const char *key)
{
    const netron_value *value = netron_map_get(map, key);
    if (value == NULL)
        fail_msg("the vector lacks '%s'", key);
    return value;
}

static int64_t number_of(const netron_value *map, const char *key)
{
    int64_t number = 0;
    assert_int_equal(netron_value_i64(need(map, key), &number), NETRON_OK);
    return number;
}

static netron_bytes bytes_of(netron_scope *scope, netron_str hex)
{
    uint8_t *out = netron_scope_alloc(scope, hex.size / 2 + 1);
    assert_non_null(out);
    for (size_t i = 0; i + 1 < hex.size; i += 2) {
        const char pair[] = {hex.data[i], hex.data[i + 1], '\0'};
        out[i / 2] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return (netron_bytes){out, hex.size / 2};
}

static void check_bytes(netron_scope *scope, const nt_writer *writer, netron_str hex)
{
    netron_bytes expected = bytes_of(scope, hex);
    assert_int_equal(writer->err, NETRON_OK);
    assert_int_equal(nt_writer_size(writer), expected.size);
    assert_memory_equal(writer->start, expected.data, expected.size);
}

/* What the notation says in plain JSON must be what was decoded; of what JSON does not have, the bytes
 * speak. */
static void check_meaning(netron_scope *scope, const netron_value *noted, const netron_value *got)
{
    const netron_value *kind =
        noted->type == NETRON_TYPE_MAP ? netron_map_get(noted, "$") : NULL;
    const char *text = netron_value_json(scope, noted);
    assert_non_null(text);
    if (kind != NULL && netron_eq(kind->as.str, netron_s("int"))) {
        char *digits = netron_scope_alloc(scope, need(noted, "v")->as.str.size + 1);
        assert_non_null(digits);
        memcpy(digits, need(noted, "v")->as.str.data, need(noted, "v")->as.str.size);
        digits[need(noted, "v")->as.str.size] = '\0';
        assert_string_equal(netron_value_json(scope, got), digits);
    } else if (strstr(text, "\"$\"") == NULL) {
        assert_string_equal(netron_value_json(scope, got), text);
    }
}

static void test_number(void **state)
{
    const extension_vector *vector = *state;
    netron_scope_auto(scope);
    netron_bytes bytes = bytes_of(&scope, vector->hex);
    nt_reader reader;
    netron_value got;
    nt_writer writer;
    nt_reader_init(&reader, (nt_slice){bytes.data, bytes.size}, &scope);
    assert_true(nt_value_read(&reader, &got));
    assert_ptr_equal(reader.at, reader.end);
    check_meaning(&scope, vector->decoded, &got);

    nt_writer_heap(&writer, 1000);
    writer.flags = NT_WRITE_INT64;
    nt_value_write(&writer, &got);
    check_bytes(&scope, &writer, vector->hex);
    nt_writer_free(&writer);

    nt_writer_heap(&writer, 1000);
    nt_value_write(&writer, &got);
    check_bytes(&scope, &writer, vector->base_hex);
    nt_writer_free(&writer);
}

static void test_packet(void **state)
{
    const extension_vector *vector = *state;
    netron_scope_auto(scope);
    netron_bytes bytes = bytes_of(&scope, vector->hex);
    netron_packet packet;
    netron_value got;
    nt_writer writer;
    assert_int_equal(netron_packet_decode(bytes.data, bytes.size, &packet), NETRON_OK);
    assert_int_equal(netron_packet_value(&scope, &packet, &got), NETRON_OK);
    int64_t flags = number_of(vector->decoded, "flags");
    assert_int_equal(packet.id, number_of(vector->decoded, "id"));
    assert_int_equal(packet.type, flags & 15);
    assert_int_equal(packet.impulse, (flags >> 6) & 1);
    assert_int_equal(packet.error, (flags >> 7) & 1);
    check_meaning(&scope, need(vector->decoded, "data"), &got);

    nt_writer_heap(&writer, 100000);
    writer.flags = NT_WRITE_INT64;
    nt_put_raw(&writer, bytes.data, 5); /* the head was compared field by field */
    nt_value_write(&writer, &got);
    check_bytes(&scope, &writer, vector->hex);
    nt_writer_free(&writer);
}

/* The JSON messages of the handshake: no packets, and written without spaces. */
static void test_handshake(void **state)
{
    const extension_vector *vector = *state;
    netron_scope_auto(scope);
    netron_bytes bytes = bytes_of(&scope, vector->hex);
    netron_packet packet;
    netron_value got;
    assert_int_equal(netron_value_parse(&scope, (netron_str){bytes.data, bytes.size}, &got), NETRON_OK);
    check_meaning(&scope, vector->decoded, &got);
    assert_int_equal(netron_packet_decode(bytes.data, bytes.size, &packet), NETRON_PROTOCOL);
    if (vector->decode_only)
        return;
    const char *json = netron_value_json(&scope, &got);
    assert_int_equal(strlen(json), bytes.size);
    assert_memory_equal(json, bytes.data, bytes.size);
}

/* ---- reading the file ---- */

static netron_str text_or_nothing(const netron_value *map, const char *key)
{
    const netron_value *value = netron_map_get(map, key);
    return value != NULL && value->type == NETRON_TYPE_STR ? value->as.str : netron_s("");
}

static CMUnitTestFunction test_for(netron_str kind)
{
    if (netron_eq(kind, netron_s("msgpack")))
        return test_number;
    if (netron_eq(kind, netron_s("packet")))
        return test_packet;
    return netron_eq(kind, netron_s("handshake")) ? test_handshake : NULL;
}

static bool read_all(netron_value *out)
{
    static char text[256 * 1024];
    FILE *file = fopen(NETRON_TEST_VECTORS "/extensions.json", "re");
    if (file == NULL)
        return false;
    size_t size = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    return size < sizeof text &&
           netron_value_parse(&memory, (netron_str){text, size}, out) == NETRON_OK &&
           out->type == NETRON_TYPE_LIST;
}

int main(void)
{
    static extension_vector vectors[VECTORS_MAX];
    static struct CMUnitTest tests[VECTORS_MAX];
    static char names[VECTORS_MAX][64];
    netron_value all;
    if (!read_all(&all) || all.as.list.count != VECTORS) {
        (void)fprintf(stderr, "extensions.json cannot be read, or has not %d vectors\n", VECTORS);
        return 1;
    }
    for (size_t i = 0; i < VECTORS; i++) {
        const netron_value *json = &all.as.list.items[i];
        vectors[i] = (extension_vector){.name = text_or_nothing(json, "name"),
            .kind = text_or_nothing(json, "kind"),
            .hex = text_or_nothing(json, "hex"),
            .base_hex = text_or_nothing(json, "base_hex"),
            .decoded = netron_map_get(json, "decoded"),
            .decode_only = netron_eq(text_or_nothing(json, "direction"), netron_s("decode"))};
        CMUnitTestFunction run = test_for(vectors[i].kind);
        if (run == NULL || vectors[i].decoded == NULL || vectors[i].hex.size == 0)
            return 1;
        (void)snprintf(names[i], sizeof names[i], "%.*s", NETRON_STR(vectors[i].name));
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = run, .initial_state = &vectors[i]};
    }
    int failed = _cmocka_run_group_tests("extensions", tests, VECTORS, NULL, NULL);
    netron_scope_end(&memory);
    return failed != 0;
}
