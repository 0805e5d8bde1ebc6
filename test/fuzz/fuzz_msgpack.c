/* fuzz_msgpack.c - what can be read can be skipped, written and read again as the same value, and
 * typed reading agrees with reading values. */
#include "base/assert.h"
#include "wire/msgpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writing counts the innermost value as a level too: what is read here can always be written. */
enum { DEPTH = NT_DEPTH_DEFAULT - 2, BUDGET = 1 << 20 };

static bool read_value(nt_slice in, netron_scope *scope, netron_value *out, size_t *size)
{
    nt_reader reader;
    nt_reader_init(&reader, in, scope);
    reader.depth = DEPTH;
    reader.budget = BUDGET;
    bool is_read = nt_value_read(&reader, out);
    NT_ASSERT(is_read == (reader.err == NETRON_OK));
    NT_ASSERT(!is_read || reader.depth == DEPTH);
    *size = (size_t)(reader.at - in.ptr);
    return is_read;
}

/* How far skipping goes; 0: it cannot. It looks into no ext value, so it may go where reading
 * does not. */
static size_t skip_value(nt_slice in)
{
    nt_reader reader;
    nt_reader_init(&reader, in, NULL);
    return netron_abi_skip(&reader) ? (size_t)(reader.at - in.ptr) : 0;
}

static nt_slice write_value(nt_writer *writer, const netron_value *value, uint32_t flags)
{
    nt_writer_heap(writer, SIZE_MAX / 2);
    writer->flags = flags;
    nt_value_write(writer, value);
    NT_ASSERT(writer->err == NETRON_OK);
    return (nt_slice){writer->start, nt_writer_size(writer)};
}

/* Written, read and written again: the same bytes, and with 64-bit integers the same value. */
static void check_rewrite(const netron_value *value, uint32_t flags)
{
    netron_scope_auto(scope);
    netron_value again;
    nt_writer first, second;
    size_t size;
    nt_slice bytes = write_value(&first, value, flags);
    nt_reader reader;
    nt_reader_init(&reader, bytes, &scope);
    NT_ASSERT(nt_value_read(&reader, &again));
    size = (size_t)(reader.at - bytes.ptr);
    NT_ASSERT(size == bytes.len && skip_value(bytes) == bytes.len);
    nt_slice same = write_value(&second, &again, flags);
    NT_ASSERT(same.len == bytes.len && memcmp(same.ptr, bytes.ptr, same.len) == 0);
    NT_ASSERT(flags == 0 || netron_value_equal(value, &again));
    nt_writer_free(&first);
    nt_writer_free(&second);
}

static void check_copy(const netron_value *value)
{
    netron_scope_auto(scope);
    netron_value copy;
    NT_ASSERT(netron_value_copy(&scope, value, &copy) == NETRON_OK);
    NT_ASSERT(netron_value_equal(value, &copy) && netron_value_equal(value, value));
    NT_ASSERT(netron_value_json(&scope, value) != NULL);
}

/* BigInts aside, whose digits may be many, a number is the same number by both ways. */
static void check_numbers(nt_slice in, const netron_value *value)
{
    int64_t i, same_i;
    uint64_t u, same_u;
    double f, same_f;
    nt_reader reader;
    if (value->type == NETRON_TYPE_BIGINT)
        return;
    nt_reader_init(&reader, in, NULL);
    bool is_read = netron_abi_get_int(&reader, &i, INT64_MIN, INT64_MAX, "i64");
    NT_ASSERT(is_read == (netron_value_i64(value, &same_i) == NETRON_OK));
    NT_ASSERT(!is_read || i == same_i);
    nt_reader_init(&reader, in, NULL);
    is_read = netron_abi_get_uint(&reader, &u);
    NT_ASSERT(is_read == (netron_value_u64(value, &same_u) == NETRON_OK));
    NT_ASSERT(!is_read || u == same_u);
    nt_reader_init(&reader, in, NULL);
    is_read = netron_abi_get_float(&reader, &f);
    NT_ASSERT(is_read == (netron_value_f64(value, &same_f) == NETRON_OK));
    NT_ASSERT(!is_read || f == same_f || (f != f && same_f != same_f));
}

/* Typed readers on bytes of any kind: they refuse, and never read past the end. */
static void read_typed(nt_slice in)
{
    netron_scope_auto(scope);
    nt_reader reader;
    netron_str str;
    netron_bytes bytes;
    netron_date date;
    bool b;
    void *items;
    size_t count;
    nt_reader_init(&reader, in, &scope);
    while (netron_abi_get_str(&reader, &str) || (reader.err == NETRON_INVALID && reader.at < in.ptr + in.len))
        reader.err = NETRON_OK;
    nt_reader_init(&reader, in, &scope);
    (void)netron_abi_get_bytes(&reader, &bytes);
    nt_reader_init(&reader, in, &scope);
    (void)netron_abi_get_date(&reader, &date);
    nt_reader_init(&reader, in, &scope);
    (void)netron_abi_get_bool(&reader, &b);
    nt_reader_init(&reader, in, &scope);
    (void)netron_abi_get_nothing(&reader);
    nt_reader_init(&reader, in, &scope);
    reader.budget = BUDGET;
    if (netron_abi_get_list(&reader, 16, &items, &count))
        for (size_t i = 0; i < count; i++)
            if (!netron_abi_get_str(&reader, &str) && !netron_abi_bad_item(&reader, i))
                break;
    nt_reader_init(&reader, in, &scope);
    if (netron_abi_get_struct(&reader, &count))
        for (size_t i = 0; i < count; i++)
            if (!netron_abi_get_key(&reader, &str) || !netron_abi_skip(&reader))
                break;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    netron_scope_auto(scope);
    netron_value value;
    size_t used;
    nt_slice in = {data, size};
    size_t skipped = skip_value(in);
    NT_ASSERT(skipped <= size);
    read_typed(in);
    if (!read_value(in, &scope, &value, &used))
        return 0;
    NT_ASSERT(used == skipped && used != 0);
    check_rewrite(&value, NT_WRITE_INT64);
    check_rewrite(&value, 0);
    check_copy(&value);
    check_numbers(in, &value);
    /* One byte less can be neither skipped nor read. */
    netron_scope_end(&scope);
    in.len = used - 1;
    NT_ASSERT(skip_value(in) == 0 && !read_value(in, &scope, &value, &used));
    return 0;
}
