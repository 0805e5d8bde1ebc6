/* netron/types.h - the types of a contract.
 *
 *   in a contract                     in C
 *   bool                              bool
 *   i8 i16 i32 i64 u8 u16 u32 u64     int8_t ... uint64_t
 *   f32 f64                           float double
 *   str bytes date any                netron_str netron_bytes netron_date netron_value
 *   none                              no result at all
 *   opt_T                             netron_opt_T  { bool present; T value; }
 *   list_T                            netron_list_T { T *items; size_t count; }
 *   map_T                             netron_map_T  { netron_map_T_entry *entries; size_t count; }
 *                                     each entry    { netron_str key; T value; }
 *
 * for every T of the lines above `none`. What a project adds is used under the name it gives:
 *
 *   NETRON_STRUCT(user, (str, id), (str, name), (opt_date, born));   struct user, up to 64 fields
 *   NETRON_ENUM(account_status, active, inactive);    account_status_active ...; text on the wire
 *   NETRON_LIST(user_list, user);                     { user *items; size_t count; }
 *   NETRON_MAP(user_map, user);                       { user_map_entry *entries; size_t count; }
 *   NETRON_OPT(maybe_user, user);                     { bool present; user value; }
 *
 * A struct is a map on the wire: keys in any order, unknown ones are skipped, all but optional ones
 * are required; an absent optional field is not sent. Text, lists and everything else that a value
 * points to is borrowed (netron/value.h).
 *
 * No name without a prefix leaks from here: a contract's i64 is pasted to nt_type_i64. Each type T
 * has nt_type_T, nt_flat_T (1: it points to nothing), nt_put_T, nt_get_T, nt_load_T, nt_default_T,
 * nt_missing_T (true, and made absent: it may be left out), nt_absent_T and nt_info_T.
 */
#ifndef NETRON_TYPES_H
#define NETRON_TYPES_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <float.h>
#include <netron/abi.h>
#include <netron/foreach.h>

#ifdef __cplusplus
#define NT_STATIC_ASSERT(condition, text) static_assert(condition, text)
#define NT_ZERO                           {}
#else
#define NT_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#define NT_ZERO                           {0}
#endif

/* What a statement macro ends with: it takes the user's semicolon. */
#define NT_END struct nt_end

/* ---- scalars ---------------------------------------------------------------------------- */

/* In C, bool is a macro for _Bool and arrives so when it has passed through another macro. */
#define nt_type__Bool    nt_type_bool
#define nt_flat__Bool    nt_flat_bool
#define nt_put__Bool     nt_put_bool
#define nt_get__Bool     nt_get_bool
#define nt_load__Bool    nt_load_bool
#define nt_default__Bool nt_default_bool
#define nt_missing__Bool nt_missing_bool
#define nt_absent__Bool  nt_absent_bool
#define nt_info__Bool    nt_info_bool

/* The rest of a type that has nt_type_T, nt_put_T and nt_get_T. */
#define NT_TYPE_OUT(T)                                                                             \
    NT_FN bool nt_load_##T(nt_reader *reader_, void *out_)                                         \
    {                                                                                              \
        return nt_get_##T(reader_, (nt_type_##T *)out_);                                           \
    }                                                                                              \
    NT_FN bool nt_default_##T(nt_type_##T *out_, nt_type_##T value_)                               \
    {                                                                                              \
        *out_ = value_;                                                                            \
        return true;                                                                               \
    }
#define NT_TYPE_REQUIRED(T)                                                                        \
    NT_TYPE_OUT(T)                                                                                 \
    NT_FN bool nt_missing_##T(nt_type_##T *out_)                                                   \
    {                                                                                              \
        (void)out_;                                                                                \
        return false;                                                                              \
    }                                                                                              \
    NT_FN bool nt_absent_##T(const nt_type_##T *value_)                                            \
    {                                                                                              \
        (void)value_;                                                                              \
        return false;                                                                              \
    }
#define NT_TYPE_INFO(T, NAME, KIND, BITS, COUNT, FIELDS, NAMES, ITEM)                              \
    NT_FN const nt_type *nt_info_##T(void)                                                         \
    {                                                                                              \
        static const nt_type nt_info = {NAME, KIND, BITS, COUNT, FIELDS, NAMES, ITEM};             \
        return &nt_info;                                                                           \
    }
#define NT_SCALAR(T, NAME, KIND, BITS)                                                             \
    NT_TYPE_REQUIRED(T)                                                                            \
    NT_TYPE_INFO(T, NAME, KIND, BITS, 0, NULL, NULL, NULL)

/* An integer that travels as a wider one. */
#define NT_NARROW(T, CTYPE, WIDE, LEAST, MOST)                                                     \
    typedef CTYPE nt_type_##T;                                                                     \
    NT_FN void nt_put_##T(nt_writer *writer_, CTYPE value_)                                        \
    {                                                                                              \
        nt_put_##WIDE(writer_, value_);                                                            \
    }                                                                                              \
    NT_FN bool nt_get_##T(nt_reader *reader_, CTYPE *out_)                                         \
    {                                                                                              \
        int64_t nt_wide;                                                                           \
        if (!netron_abi_get_int(reader_, &nt_wide, LEAST, MOST, #T))                               \
            return false;                                                                          \
        *out_ = (CTYPE)nt_wide;                                                                    \
        return true;                                                                               \
    }

/* A type that the library itself reads and writes. */
#define NT_DIRECT(T, CTYPE)                                                                        \
    typedef CTYPE nt_type_##T;                                                                     \
    NT_FN void nt_put_##T(nt_writer *writer_, CTYPE value_)                                        \
    {                                                                                              \
        netron_abi_put_##T(writer_, value_);                                                       \
    }                                                                                              \
    NT_FN bool nt_get_##T(nt_reader *reader_, CTYPE *out_)                                         \
    {                                                                                              \
        return netron_abi_get_##T(reader_, out_);                                                  \
    }

NT_NARROW(i8, int8_t, i64, INT8_MIN, INT8_MAX)
NT_NARROW(i16, int16_t, i64, INT16_MIN, INT16_MAX)
NT_NARROW(i32, int32_t, i64, INT32_MIN, INT32_MAX)
NT_NARROW(u8, uint8_t, u64, 0, UINT8_MAX)
NT_NARROW(u16, uint16_t, u64, 0, UINT16_MAX)
NT_NARROW(u32, uint32_t, u64, 0, UINT32_MAX)
NT_DIRECT(str, netron_str)
NT_DIRECT(bytes, netron_bytes)
NT_DIRECT(date, netron_date)
typedef bool nt_type_bool;
typedef int64_t nt_type_i64;
typedef uint64_t nt_type_u64;
typedef float nt_type_f32;
typedef double nt_type_f64;
typedef netron_value nt_type_any;

NT_FN bool nt_get_bool(nt_reader *reader, bool *out)
{
    return netron_abi_get_bool(reader, out);
}

NT_FN void nt_put_f64(nt_writer *writer, double value)
{
    netron_abi_put_float(writer, value);
}

NT_FN bool nt_get_f64(nt_reader *reader, double *out)
{
    return netron_abi_get_float(reader, out);
}

NT_FN void nt_put_f32(nt_writer *writer, float value)
{
    netron_abi_put_float(writer, (double)value);
}

/* Rounded to the nearest float; a finite number beyond its range is a mistake, infinity is not. */
NT_FN bool nt_get_f32(nt_reader *reader, float *out)
{
    double wide;
    if (!netron_abi_get_float(reader, &wide)) {
        reader->expected = "f32";
        return false;
    }
    double size = wide < 0 ? -wide : wide;
    if (size > (double)FLT_MAX && size <= DBL_MAX) {
        reader->err = NETRON_INVALID;
        reader->expected = "f32";
        reader->found = "a number out of its range";
        return false;
    }
    *out = (float)wide;
    return true;
}

NT_FN void nt_put_any(nt_writer *writer, netron_value value)
{
    netron_abi_put_value(writer, &value);
}

NT_FN bool nt_get_any(nt_reader *reader, netron_value *out)
{
    return netron_abi_get_value(reader, out);
}

NT_SCALAR(bool, "bool", NT_KIND_BOOL, 1)
NT_SCALAR(i8, "i8", NT_KIND_INT, 8)
NT_SCALAR(i16, "i16", NT_KIND_INT, 16)
NT_SCALAR(i32, "i32", NT_KIND_INT, 32)
NT_SCALAR(i64, "i64", NT_KIND_INT, 64)
NT_SCALAR(u8, "u8", NT_KIND_UINT, 8)
NT_SCALAR(u16, "u16", NT_KIND_UINT, 16)
NT_SCALAR(u32, "u32", NT_KIND_UINT, 32)
NT_SCALAR(u64, "u64", NT_KIND_UINT, 64)
NT_SCALAR(f32, "f32", NT_KIND_FLOAT, 32)
NT_SCALAR(f64, "f64", NT_KIND_FLOAT, 64)
NT_SCALAR(str, "str", NT_KIND_STR, 0)
NT_SCALAR(bytes, "bytes", NT_KIND_BYTES, 0)
NT_SCALAR(date, "date", NT_KIND_DATE, 64)
NT_SCALAR(any, "any", NT_KIND_ANY, 0)

enum {
    nt_flat_bool = 1,
    nt_flat_i8 = 1,
    nt_flat_i16 = 1,
    nt_flat_i32 = 1,
    nt_flat_i64 = 1,
    nt_flat_u8 = 1,
    nt_flat_u16 = 1,
    nt_flat_u32 = 1,
    nt_flat_u64 = 1,
    nt_flat_f32 = 1,
    nt_flat_f64 = 1,
    nt_flat_str = 0,
    nt_flat_bytes = 0,
    nt_flat_date = 1,
    nt_flat_any = 0
};

/* ---- lists, maps, optional values ------------------------------------------------------- */

/* T: the name in contracts; CTYPE: the name in C; I: the item's name in contracts. */
#define NT_LIST_TYPE(T, CTYPE, I)                                                                  \
    typedef struct CTYPE {                                                                         \
        nt_type_##I *items;                                                                        \
        size_t count;                                                                              \
    } CTYPE;                                                                                       \
    typedef CTYPE nt_type_##T;                                                                     \
    enum { nt_flat_##T = 0 };                                                                      \
    NT_FN void nt_put_##T(nt_writer *writer_, CTYPE value_)                                        \
    {                                                                                              \
        netron_abi_put_list(writer_, value_.count);                                                \
        for (size_t nt_i = 0; nt_i < value_.count; nt_i++)                                         \
            nt_put_##I(writer_, value_.items[nt_i]);                                               \
    }                                                                                              \
    NT_FN bool nt_get_##T(nt_reader *reader_, CTYPE *out_)                                         \
    {                                                                                              \
        void *nt_items;                                                                            \
        if (!netron_abi_get_list(reader_, sizeof *out_->items, &nt_items, &out_->count))           \
            return false;                                                                          \
        out_->items = (nt_type_##I *)nt_items;                                                     \
        for (size_t nt_i = 0; nt_i < out_->count; nt_i++)                                          \
            if (!nt_get_##I(reader_, &out_->items[nt_i]))                                          \
                return netron_abi_bad_item(reader_, nt_i);                                         \
        return netron_abi_get_end(reader_);                                                        \
    }                                                                                              \
    NT_TYPE_REQUIRED(T)                                                                            \
    NT_TYPE_INFO(T, #T, NT_KIND_LIST, 0, 0, NULL, NULL, nt_info_##I)

#define NT_MAP_TYPE(T, CTYPE, I)                                                                   \
    typedef struct CTYPE##_entry {                                                                 \
        netron_str key;                                                                            \
        nt_type_##I value;                                                                         \
    } CTYPE##_entry;                                                                               \
    typedef struct CTYPE {                                                                         \
        CTYPE##_entry *entries;                                                                    \
        size_t count;                                                                              \
    } CTYPE;                                                                                       \
    typedef CTYPE nt_type_##T;                                                                     \
    enum { nt_flat_##T = 0 };                                                                      \
    NT_FN void nt_put_##T(nt_writer *writer_, CTYPE value_)                                        \
    {                                                                                              \
        netron_abi_put_map(writer_, value_.count);                                                 \
        for (size_t nt_i = 0; nt_i < value_.count; nt_i++) {                                       \
            netron_abi_put_str(writer_, value_.entries[nt_i].key);                                 \
            nt_put_##I(writer_, value_.entries[nt_i].value);                                       \
        }                                                                                          \
    }                                                                                              \
    NT_FN bool nt_get_##T(nt_reader *reader_, CTYPE *out_)                                         \
    {                                                                                              \
        void *nt_entries;                                                                          \
        if (!netron_abi_get_map(reader_, sizeof *out_->entries, &nt_entries, &out_->count))        \
            return false;                                                                          \
        out_->entries = (CTYPE##_entry *)nt_entries;                                               \
        for (size_t nt_i = 0; nt_i < out_->count; nt_i++)                                          \
            if (!netron_abi_get_str(reader_, &out_->entries[nt_i].key) ||                          \
                !nt_get_##I(reader_, &out_->entries[nt_i].value))                                  \
                return netron_abi_bad_item(reader_, nt_i);                                         \
        return netron_abi_get_end(reader_);                                                        \
    }                                                                                              \
    NT_TYPE_REQUIRED(T)                                                                            \
    NT_TYPE_INFO(T, #T, NT_KIND_MAP, 0, 0, NULL, NULL, nt_info_##I)

#define NT_OPT_TYPE(T, CTYPE, I)                                                                   \
    typedef struct CTYPE {                                                                         \
        bool present;                                                                              \
        nt_type_##I value;                                                                         \
    } CTYPE;                                                                                       \
    typedef CTYPE nt_type_##T;                                                                     \
    enum { nt_flat_##T = nt_flat_##I };                                                            \
    NT_FN void nt_put_##T(nt_writer *writer_, CTYPE value_)                                        \
    {                                                                                              \
        if (value_.present)                                                                        \
            nt_put_##I(writer_, value_.value);                                                     \
        else                                                                                       \
            netron_abi_put_undefined(writer_);                                                     \
    }                                                                                              \
    NT_FN bool nt_missing_##T(CTYPE *out_)                                                         \
    {                                                                                              \
        out_->present = false;                                                                     \
        return true;                                                                               \
    }                                                                                              \
    NT_FN bool nt_absent_##T(const CTYPE *value_)                                                  \
    {                                                                                              \
        return !value_->present;                                                                   \
    }                                                                                              \
    NT_FN bool nt_get_##T(nt_reader *reader_, CTYPE *out_)                                         \
    {                                                                                              \
        if (netron_abi_get_nothing(reader_))                                                       \
            return nt_missing_##T(out_);                                                           \
        out_->present = true;                                                                      \
        return nt_get_##I(reader_, &out_->value);                                                  \
    }                                                                                              \
    NT_TYPE_OUT(T)                                                                                 \
    NT_TYPE_INFO(T, #T, NT_KIND_OPT, 0, 0, NULL, NULL, nt_info_##I)

#define NT_CONTAINERS(T)                                                                           \
    NT_LIST_TYPE(list_##T, netron_list_##T, T)                                                     \
    NT_MAP_TYPE(map_##T, netron_map_##T, T)                                                        \
    NT_OPT_TYPE(opt_##T, netron_opt_##T, T)

NT_CONTAINERS(bool)
NT_CONTAINERS(i8)
NT_CONTAINERS(i16)
NT_CONTAINERS(i32)
NT_CONTAINERS(i64)
NT_CONTAINERS(u8)
NT_CONTAINERS(u16)
NT_CONTAINERS(u32)
NT_CONTAINERS(u64)
NT_CONTAINERS(f32)
NT_CONTAINERS(f64)
NT_CONTAINERS(str)
NT_CONTAINERS(bytes)
NT_CONTAINERS(date)
NT_CONTAINERS(any)

#define NETRON_LIST(name, item) NT_LIST_TYPE(name, name, item) NT_END
#define NETRON_MAP(name, item)  NT_MAP_TYPE(name, name, item) NT_END
#define NETRON_OPT(name, item)  NT_OPT_TYPE(name, name, item) NT_END

/* ---- structs ---------------------------------------------------------------------------- */

#define NT_FIELD_DECLARE(k, field)       NT_FIELD_DECLARE_ field
#define NT_FIELD_DECLARE_(T, N)          nt_type_##T N;
#define NT_FIELD_FLAT(k, field)          NT_FIELD_FLAT_ field
#define NT_FIELD_FLAT_(T, N)             & nt_flat_##T
#define NT_FIELD_PRESENT(k, field)       NT_FIELD_PRESENT_ field
#define NT_FIELD_PRESENT_(T, N)          + (nt_absent_##T(&value_.N) ? 0u : 1u)
#define NT_FIELD_INDEX(k, field)         NT_FIELD_INDEX_ field
#define NT_FIELD_INDEX_(T, N)            nt_field_##N,
#define NT_FIELD_DESCRIBE(k, field)      NT_FIELD_DESCRIBE_ field
#define NT_FIELD_DESCRIBE_(T, N)         {#N, nt_info_##T},

#define NT_FIELD_PUT(k, field) NT_FIELD_PUT_ field
#define NT_FIELD_PUT_(T, N)                                                                        \
    if (!nt_absent_##T(&value_.N)) {                                                               \
        netron_abi_put_str(writer_, netron_s(#N));                                                 \
        nt_put_##T(writer_, value_.N);                                                             \
    }

#define NT_FIELD_GET(k, field) NT_FIELD_GET_ field
#define NT_FIELD_GET_(T, N)                                                                        \
    if (netron_eq(nt_key, netron_s(#N))) {                                                         \
        if (!nt_get_##T(reader_, &out_->N))                                                        \
            return netron_abi_bad_field(reader_, #N);                                              \
        nt_seen |= UINT64_C(1) << nt_field_##N;                                                    \
    } else

#define NT_FIELD_SEEN(k, field) NT_FIELD_SEEN_ field
#define NT_FIELD_SEEN_(T, N)                                                                       \
    if (!(nt_seen >> nt_field_##N & 1) && !nt_missing_##T(&out_->N))                               \
        return netron_abi_missing_field(reader_, #N);

#define NETRON_STRUCT(T, ...)                                                                      \
    typedef struct T {                                                                             \
        NT_EACH(NT_FIELD_DECLARE, , ~, __VA_ARGS__)                                                \
    } T;                                                                                           \
    typedef T nt_type_##T;                                                                         \
    enum { nt_flat_##T = 1 NT_EACH(NT_FIELD_FLAT, , ~, __VA_ARGS__) };                             \
    NT_FN void nt_put_##T(nt_writer *writer_, T value_)                                            \
    {                                                                                              \
        netron_abi_put_map(writer_, 0u NT_EACH(NT_FIELD_PRESENT, , ~, __VA_ARGS__));               \
        NT_EACH(NT_FIELD_PUT, , ~, __VA_ARGS__)                                                    \
    }                                                                                              \
    NT_FN bool nt_get_##T(nt_reader *reader_, T *out_)                                             \
    {                                                                                              \
        enum { NT_EACH(NT_FIELD_INDEX, , ~, __VA_ARGS__) nt_fields };                              \
        NT_STATIC_ASSERT(nt_fields <= 64, "struct " #T ": at most 64 fields");                     \
        uint64_t nt_seen = 0;                                                                      \
        size_t nt_left;                                                                            \
        if (!netron_abi_get_struct(reader_, &nt_left))                                             \
            return false;                                                                          \
        for (; nt_left > 0; nt_left--) {                                                           \
            netron_str nt_key;                                                                     \
            if (!netron_abi_get_key(reader_, &nt_key))                                             \
                return false;                                                                      \
            NT_EACH(NT_FIELD_GET, , ~, __VA_ARGS__)                                                \
            if (!netron_abi_skip(reader_))                                                         \
                return false;                                                                      \
        }                                                                                          \
        NT_EACH(NT_FIELD_SEEN, , ~, __VA_ARGS__)                                                   \
        return netron_abi_get_end(reader_);                                                        \
    }                                                                                              \
    NT_TYPE_REQUIRED(T)                                                                            \
    NT_FN const nt_type *nt_info_##T(void)                                                         \
    {                                                                                              \
        static const nt_field nt_all[] = {NT_EACH(NT_FIELD_DESCRIBE, , ~, __VA_ARGS__)};           \
        static const nt_type nt_info = {                                                           \
            #T, NT_KIND_STRUCT, 0, NT_TAIL_COUNT(~, __VA_ARGS__), nt_all, NULL, NULL};             \
        return &nt_info;                                                                           \
    }                                                                                              \
    NT_END

/* ---- enumerations ----------------------------------------------------------------------- */

#define NT_ENUM_CONSTANT(T, N) T##_##N,
#define NT_ENUM_NAME(T, N)     #N,

#define NETRON_ENUM(T, ...)                                                                        \
    typedef enum T { NT_EACH(NT_ENUM_CONSTANT, T, ~, __VA_ARGS__) } T;                             \
    typedef T nt_type_##T;                                                                         \
    enum { nt_flat_##T = 1 };                                                                      \
    NT_FN const nt_type *nt_info_##T(void)                                                         \
    {                                                                                              \
        static const char *const nt_names[] = {NT_EACH(NT_ENUM_NAME, , ~, __VA_ARGS__)};           \
        static const nt_type nt_info = {                                                           \
            #T, NT_KIND_ENUM, 0, NT_TAIL_COUNT(~, __VA_ARGS__), NULL, nt_names, NULL};             \
        return &nt_info;                                                                           \
    }                                                                                              \
    NT_FN void nt_put_##T(nt_writer *writer_, T value_)                                            \
    {                                                                                              \
        nt_put_enum(writer_, nt_info_##T(), (int)value_);                                          \
    }                                                                                              \
    NT_FN bool nt_get_##T(nt_reader *reader_, T *out_)                                             \
    {                                                                                              \
        int nt_value = 0;                                                                          \
        if (!nt_get_enum(reader_, nt_info_##T(), &nt_value))                                       \
            return false;                                                                          \
        *out_ = (T)nt_value;                                                                       \
        return true;                                                                               \
    }                                                                                              \
    NT_TYPE_REQUIRED(T) NT_END

NT_FN void nt_put_enum(nt_writer *writer, const nt_type *type, int value)
{
    if (value >= 0 && value < type->count)
        netron_abi_put_str(writer, netron_s(type->names[value]));
    else
        netron_abi_put_bad_enum(writer, type->name, value);
}

NT_FN bool nt_get_enum(nt_reader *reader, const nt_type *type, int *out)
{
    netron_str name;
    if (!netron_abi_get_key(reader, &name))
        return false;
    for (int i = 0; i < type->count; i++) {
        if (netron_eq(name, netron_s(type->names[i]))) {
            *out = i;
            return true;
        }
    }
    return netron_abi_bad_enum(reader, type, name);
}

#endif
