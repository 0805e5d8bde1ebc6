/* extensions_test.c - every vector in test/vectors/extensions.json: what ours add to the protocol.
 *
 * The notation is that of vectors.json, and {"$": "int"} beside it: an integer that must not lose a
 * digit. Values and packets are decoded, compared, and encoded both from the notation and anew, as
 * for a peer that announced int64; `base_hex` is what the same integer is to any other peer.
 * A message of the handshake comes from a node, or goes to one, which must then have in force what
 * the vector says.
 *
 * Usage: extensions_test [extensions.json]
 */
#include "notation.h"

#include "support/far_end.h"
#include "wire/packet.h"

#include <stdio.h>

typedef struct extension_vector {
    netron_value json;
    netron_bytes bytes;
} extension_vector;

static netron_scope memory; /* the vectors live as long as the program */

static const netron_value *member(const extension_vector *vector, const char *key)
{
    const netron_value *found = netron_map_get(&vector->json, key);
    if (found == NULL)
        fail_msg("the vector has no '%s'", key);
    return found;
}

static netron_bytes hex_of(const extension_vector *vector, const char *key)
{
    bool whole = true;
    netron_bytes bytes = notation_bytes(&memory, notation_text(&vector->json, key), &whole);
    assert_true(whole && bytes.size != 0);
    return bytes;
}

static nt_slice slice_of(netron_bytes bytes)
{
    return (nt_slice){bytes.data, bytes.size};
}

/* ---- values --------------------------------------------------------------------------------- */

static void check_written(
    const char *what, const netron_value *value, uint32_t flags, netron_bytes expected)
{
    nt_writer writer;
    nt_writer_heap(&writer, SIZE_MAX / 2);
    writer.flags = flags;
    nt_value_write(&writer, value);
    assert_int_equal(writer.err, NETRON_OK);
    check_bytes(what, expected, (netron_bytes){writer.start, nt_writer_size(&writer)});
    nt_writer_free(&writer);
}

static netron_value read_whole(netron_scope *scope, netron_bytes bytes)
{
    netron_value value;
    nt_reader reader;
    nt_reader_init(&reader, slice_of(bytes), scope);
    assert_true(nt_value_read(&reader, &value));
    assert_ptr_equal(reader.at, reader.end);
    return value;
}

/* The same number to whoever asks for an integer, whatever form it came in. */
static void check_same_integer(const netron_value *a, const netron_value *b)
{
    int64_t a_signed = 0, b_signed = 0;
    uint64_t a_unsigned = 0, b_unsigned = 0;
    assert_int_equal(netron_value_i64(a, &a_signed), netron_value_i64(b, &b_signed));
    assert_int_equal(netron_value_u64(a, &a_unsigned), netron_value_u64(b, &b_unsigned));
    assert_true(a_signed == b_signed && a_unsigned == b_unsigned);
    assert_true(a_signed != 0 || a_unsigned != 0);
}

static void test_integer(void **state)
{
    const extension_vector *vector = *state;
    netron_scope_auto(scope);
    notation noted = {.scope = &scope, .whole = true};
    netron_value expected = notation_value(&noted, member(vector, "decoded"));
    netron_value native = read_whole(&scope, vector->bytes);
    assert_true(netron_value_equal(&expected, &native));
    check_written("to a peer with int64", &expected, NT_WRITE_INT64, vector->bytes);
    check_written("encoded again", &native, NT_WRITE_INT64, vector->bytes);

    netron_bytes base = hex_of(vector, "base_hex");
    check_written("to any other peer", &expected, 0, base);
    netron_value from_base = read_whole(&scope, base);
    check_same_integer(&expected, &from_base);
}

/* ---- packets -------------------------------------------------------------------------------- */

static void check_packet_written(
    const char *what, const netron_packet *packet, const netron_value *meta,
    const netron_value *value, netron_bytes expected)
{
    uint8_t flags = (uint8_t)(packet->type | (packet->impulse ? NT_PACKET_IMPULSE : 0) |
                              (packet->error ? NT_PACKET_ERROR : 0) |
                              (meta != NULL ? NT_PACKET_META : 0));
    nt_writer writer;
    nt_writer_heap(&writer, SIZE_MAX / 2);
    writer.flags = NT_WRITE_INT64;
    nt_packet_head(&writer, packet->id, flags);
    if (meta != NULL)
        nt_value_write(&writer, meta);
    nt_value_write(&writer, value);
    assert_int_equal(writer.err, NETRON_OK);
    check_bytes(what, expected, (netron_bytes){writer.start, nt_writer_size(&writer)});
    nt_writer_free(&writer);
}

static void test_packet(void **state)
{
    const extension_vector *vector = *state;
    netron_scope_auto(scope);
    netron_packet packet;
    netron_value got;
    notation noted = {.scope = &scope, .whole = true};
    const netron_value *decoded = member(vector, "decoded");
    assert_int_equal(
        netron_packet_decode(vector->bytes.data, vector->bytes.size, &packet), NETRON_OK);
    check_packet_head(decoded, &packet);
    assert_true(packet.type != NETRON_PACKET_STREAM); /* none has a trailer to write */
    assert_int_equal(netron_packet_value(&scope, &packet, &got), NETRON_OK);
    const netron_value *data = netron_map_get(decoded, "data");
    assert_non_null(data);
    check_same(data, &got);
    const netron_value *meta = netron_map_get(decoded, "meta");
    netron_value got_meta, *its_meta = NULL;
    assert_int_equal(packet.meta != NULL, meta != NULL);
    if (meta != NULL) {
        got_meta = read_whole(&scope, (netron_bytes){packet.meta, packet.meta_size});
        check_same(meta, &got_meta);
        its_meta = &got_meta;
    }
    check_packet_written("encoded again", &packet, its_meta, &got, vector->bytes);
    netron_value expected = notation_value(&noted, data);
    netron_value noted_meta = meta != NULL ? notation_value(&noted, meta) : netron_undefined();
    assert_true(noted.whole);
    check_packet_written("encoded from the notation", &packet, meta != NULL ? &noted_meta : NULL,
        &expected, vector->bytes);
}

/* ---- the handshake -------------------------------------------------------------------------- */

static bool names(const netron_value *list, const char *extension)
{
    if (list == NULL)
        return false;
    for (size_t i = 0; i < list->as.list.count; i++)
        if (netron_eq(list->as.list.items[i].as.str, netron_s(extension)))
            return true;
    return false;
}

static void check_in_force(const netron_value *expected, const netron_peer *peer)
{
    static const char *const known[] = {"int64", "cancel", "credit", "oneway", "patterns"};
    for (size_t i = 0; i < NT_COUNT(known); i++)
        if (netron_peer_has(peer, known[i]) != names(expected, known[i]))
            fail_msg("%s is %s force", known[i],
                netron_peer_has(peer, known[i]) ? "in" : "not in");
}

/* What is in force at a node that announces all: `in_force`, or what the other end announces. */
static const netron_value *in_force(const extension_vector *vector)
{
    const netron_value *said = netron_map_get(&vector->json, "in_force");
    return said != NULL ? said : netron_map_get(member(vector, "decoded"), "ext");
}

/* The vector as the server's message: a node that dials takes it. */
static void check_server_hello(const extension_vector *vector)
{
    far_end far;
    far_end_open(&far, &(netron_options){.id = "node-a"});
    far_end_be_dialled(&far);
    far_end_say(&far, vector->bytes.data, vector->bytes.size);
    assert_non_null(far.peer);
    assert_string_equal(netron_peer_id(far.peer), "node-b");
    check_in_force(in_force(vector), far.peer);
    far_end_close(&far);
}

/* ... and as the client's: a node that listens takes it. */
static void check_client_hello(const extension_vector *vector)
{
    far_end far;
    far_end_open(&far, &(netron_options){.id = "node-b"});
    far_end_dial(&far);
    far_end_say(&far, vector->bytes.data, vector->bytes.size);
    far.peer = netron_peer_find(far.node, "node-a");
    assert_non_null(far.peer);
    check_in_force(in_force(vector), far.peer);
    far_end_close(&far);
}

/* What our own node says, byte for byte. */
static void check_own_hello(const extension_vector *vector, bool is_server)
{
    static const char client[] = "{\"type\":\"client-id\",\"id\":\"x\"}";
    static const char server[] = "{\"type\":\"id\",\"id\":\"x\"}";
    far_end far;
    far_end_open(&far, &(netron_options){.id = is_server ? "node-b" : "node-a"});
    if (is_server) {
        far_end_dial(&far);
        far_end_say(&far, client, strlen(client));
    } else {
        far_end_be_dialled(&far);
        far_end_say(&far, server, strlen(server));
    }
    check_bytes("the node's own message", vector->bytes, far_end_hear(&far));
    far_end_close(&far);
}

static void test_handshake(void **state)
{
    const extension_vector *vector = *state;
    netron_scope_auto(scope);
    netron_value got;
    netron_str text = {vector->bytes.data, vector->bytes.size};
    const netron_value *decoded = member(vector, "decoded");
    assert_int_equal(netron_value_parse(&scope, text, &got), NETRON_OK);
    check_same(decoded, &got);
    bool is_server = netron_eq(notation_text(decoded, "type"), netron_s("id"));
    if (is_server)
        check_server_hello(vector);
    else
        check_client_hello(vector);
    if (netron_map_get(&vector->json, "direction") == NULL) /* else: read, never written */
        check_own_hello(vector, is_server);
}

/* ---- reading the file ----------------------------------------------------------------------- */

static CMUnitTestFunction test_for(const netron_value *json)
{
    netron_str kind = notation_text(json, "kind");
    if (netron_eq(kind, netron_s("handshake")))
        return test_handshake;
    if (netron_eq(kind, netron_s("msgpack")))
        return test_integer;
    return netron_eq(kind, netron_s("packet")) ? test_packet : NULL;
}

enum { VECTORS = 51 };

static struct CMUnitTest make_test(const netron_value *json, extension_vector *vector)
{
    vector->json = *json;
    vector->bytes = hex_of(vector, "hex");
    netron_str name = notation_text(json, "name");
    char *copy = need(netron_scope_alloc(&memory, name.size + 1));
    memcpy(copy, name.data, name.size);
    return (struct CMUnitTest){
        .name = copy, .test_func = test_for(json), .initial_state = vector};
}

int main(int argc, char **argv)
{
    static extension_vector vectors[VECTORS];
    static struct CMUnitTest tests[VECTORS];
    size_t size = 0;
    netron_value file;
    const char *path = argc > 1 ? argv[1] : NETRON_TEST_VECTORS "/extensions.json";
    char *text = file_read(&memory, path, &size);
    if (text == NULL || netron_value_parse(&memory, (netron_str){text, size}, &file) != NETRON_OK) {
        fprintf(stderr, "%s cannot be read: give its path as the argument\n", path);
        return 2;
    }
    if (file.type != NETRON_TYPE_LIST || file.as.list.count != VECTORS) {
        fprintf(stderr, "a list of %d vectors was expected\n", VECTORS);
        return 1;
    }
    for (size_t i = 0; i < VECTORS; i++) {
        tests[i] = make_test(&file.as.list.items[i], &vectors[i]);
        if (tests[i].test_func == NULL) {
            fprintf(stderr, "%s is of a kind that is not known here\n", tests[i].name);
            return 1;
        }
    }
    int failed = _cmocka_run_group_tests("extensions", tests, VECTORS, NULL, NULL);
    netron_scope_end(&memory);
    return failed != 0;
}
