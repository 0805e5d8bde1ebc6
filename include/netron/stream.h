/* netron/stream.h - ends of streams as arguments and results of a contract.
 *
 *   NETRON_READ_END(samples, f64);                       who is given one reads it
 *   NETRON_WRITE_END(ticks, date);                        who is given one writes it
 *   NETRON_METHOD(stats, total, f64, (samples, input));  a stream from the client
 *   NETRON_STREAM(stats, smooth, f64, (samples, input)); both ways
 *
 * Whoever gives an end away opens it for a peer, keeps the other end, and puts the first into a call:
 *
 *   samples input;
 *   samples__writer to;
 *   NETRON_TRY(samples__open(peer, &input, &to));
 *   stats__total_future call = stats__total_start(&stats, input);
 *   for (...)
 *       NETRON_TRY(samples__write(&to, value));          waits for the reader
 *   samples__end(&to, NETRON_OK, NULL);
 *   NETRON_TRY(stats__total_wait(&call, &total));
 *
 * and the handler reads with `samples__next(&input, &item)` or `netron_each(item, &err, input)`.
 *
 * An end that came as an argument is the handler's until it returns; then a stream that was not read to
 * its end is left, and one that was not ended is broken. An end that came as a result is the caller's
 * until _close or _end. An end that is opened and given to nobody is ended with _end or _close all the
 * same.
 */
#ifndef NETRON_STREAM_H
#define NETRON_STREAM_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/dynamic.h>
#include <netron/service.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What generated code uses of the library. The ends of a fresh stream to a peer: `reference` goes into
 * a call. NETRON_UNAVAILABLE, NETRON_TOO_MANY (option max_streams), NETRON_CONTEXT: not on the node's
 * thread. */
NETRON_API NETRON_MUST_CHECK netron_err netron_abi_readable_open(netron_peer *peer,
    netron_value *reference, struct nt_out **out);
NETRON_API NETRON_MUST_CHECK netron_err netron_abi_writable_open(netron_peer *peer,
    netron_value *reference, netron_stream *stream, nt_load_fn load);
/* The end that stands next among arguments, or in an answer. */
NETRON_API bool netron_abi_get_readable(nt_reader *reader, netron_stream *stream, nt_load_fn load);
NETRON_API bool netron_abi_get_writable(nt_reader *reader, struct nt_out **out);
/* The end of what is written; *out is NULL afterwards. */
NETRON_API void netron_abi_out_end(struct nt_out **out, netron_err err, const char *reason);

#ifdef __cplusplus
}
#endif

/* T_write and T_end of what has an nt_out. */
#define NT_WRITING(T, WRITER, I)                                                                   \
    NT_FN NETRON_MUST_CHECK netron_err T##__write(WRITER *writer_, nt_type_##I item_)              \
    {                                                                                              \
        nt_writer *nt_w = netron_abi_yield_begin(writer_->nt_out);                                 \
        if (nt_w != NULL)                                                                          \
            nt_put_##I(nt_w, item_);                                                               \
        return netron_abi_yield_end(writer_->nt_out);                                              \
    }                                                                                              \
    NT_FN NETRON_MUST_CHECK netron_err T##__pace(WRITER *writer_, netron_rate rate_)               \
    {                                                                                              \
        return netron_abi_pace(writer_->nt_out, rate_);                                            \
    }                                                                                              \
    NT_FN void T##__end(WRITER *writer_, netron_err err_, const char *reason_)                     \
    {                                                                                              \
        netron_abi_out_end(&writer_->nt_out, err_, reason_);                                       \
    }

/* T_next and T_close of what has an nt_reading_. */
#define NT_READING(T, READER, I)                                                                   \
    NT_FN bool T##__next(READER *reader_, nt_type_##I *item_)                                      \
    {                                                                                              \
        return netron_abi_stream_next(&reader_->nt_reading_.stream, item_);                        \
    }                                                                                              \
    NT_FN NETRON_MUST_CHECK netron_err T##__limit(READER *reader_, netron_rate rate_)              \
    {                                                                                              \
        return netron_abi_limit(reader_->nt_reading_.stream.handle, rate_);                        \
    }                                                                                              \
    NT_FN netron_err T##__close(READER *reader_)                                                   \
    {                                                                                              \
        return nt_reading_close(&reader_->nt_reading_);                                            \
    }

#define NT_END_TYPE(T, NAME, KIND, I)                                                              \
    typedef T nt_type_##T;                                                                         \
    enum { nt_flat_##T = 0 };                                                                      \
    NT_FN void nt_put_##T(nt_writer *writer_, T value_)                                            \
    {                                                                                              \
        netron_abi_put_value(writer_, &value_.nt_reference);                                       \
    }                                                                                              \
    NT_TYPE_REQUIRED(T)                                                                            \
    NT_TYPE_INFO(T, NAME, KIND, 0, 0, NULL, NULL, nt_info_##I)

#define NETRON_READ_END(T, I) NT_READABLE_TYPE(T, I) NT_END
#define NT_READABLE_TYPE(T, I)                                                                     \
    typedef struct T {                                                                             \
        nt_reading nt_reading_;                                                                    \
        nt_type_##I nt_item;                                                                       \
        netron_value nt_reference;                                                                 \
    } T;                                                                                           \
    typedef struct T##__writer {                                                                   \
        struct nt_out *nt_out;                                                                     \
    } T##__writer;                                                                                 \
    NT_READING(T, T, I)                                                                            \
    NT_WRITING(T, T##__writer, I)                                                                  \
    NT_FN NETRON_MUST_CHECK netron_err T##__open(netron_peer *peer_, T *end_, T##__writer *writer_)\
    {                                                                                              \
        T nt_fresh = NT_ZERO;                                                                      \
        *end_ = nt_fresh;                                                                          \
        return netron_abi_readable_open(peer_, &end_->nt_reference, &writer_->nt_out);             \
    }                                                                                              \
    NT_FN bool nt_get_##T(nt_reader *reader_, T *out_)                                             \
    {                                                                                              \
        T nt_fresh = NT_ZERO;                                                                      \
        *out_ = nt_fresh;                                                                          \
        return netron_abi_get_readable(reader_, &out_->nt_reading_.stream, nt_load_##I);           \
    }                                                                                              \
    NT_END_TYPE(T, #T, NT_KIND_READABLE, I)

#define NETRON_WRITE_END(T, I) NT_WRITABLE_TYPE(T, I) NT_END
#define NT_WRITABLE_TYPE(T, I)                                                                     \
    typedef struct T {                                                                             \
        struct nt_out *nt_out;                                                                     \
        netron_value nt_reference;                                                                 \
    } T;                                                                                           \
    typedef struct T##__reader {                                                                   \
        nt_reading nt_reading_;                                                                    \
        nt_type_##I nt_item;                                                                       \
    } T##__reader;                                                                                 \
    NT_READING(T, T##__reader, I)                                                                  \
    NT_WRITING(T, T, I)                                                                            \
    NT_FN NETRON_MUST_CHECK netron_err T##__open(netron_peer *peer_, T *end_, T##__reader *reader_)\
    {                                                                                              \
        T nt_fresh = NT_ZERO;                                                                      \
        T##__reader nt_reader_fresh = NT_ZERO;                                                     \
        *end_ = nt_fresh;                                                                          \
        *reader_ = nt_reader_fresh;                                                                \
        return netron_abi_writable_open(peer_, &end_->nt_reference,                                \
            &reader_->nt_reading_.stream, nt_load_##I);                                            \
    }                                                                                              \
    NT_FN bool nt_get_##T(nt_reader *reader_, T *out_)                                             \
    {                                                                                              \
        T nt_fresh = NT_ZERO;                                                                      \
        *out_ = nt_fresh;                                                                          \
        return netron_abi_get_writable(reader_, &out_->nt_out);                                    \
    }                                                                                              \
    NT_END_TYPE(T, #T, NT_KIND_WRITABLE, I)

#endif
