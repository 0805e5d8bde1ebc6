/* netron/service.h - a service as a contract: one statement per member, checked by the compiler.
 *
 *   NETRON_SERVICE(calculator, "calculator@1.0.0", add, fibonacci, version, precision, computed);
 *   NETRON_METHOD (calculator, add,       i64, (i64, a), (i64, b, 0));
 *   NETRON_STREAM (calculator, fibonacci, u64, (u32, n));
 *   NETRON_PROP_RO(calculator, version,   str);
 *   NETRON_PROP_RW(calculator, precision, i32);
 *   NETRON_EVENT  (calculator, computed,  (str, op), (i64, result));
 *   NETRON_WIRE_NAME(calculator, computed, "value-computed");   where the wire says it otherwise
 *   NETRON_DOC(calculator, add, "Adds two integers.");          one line, for describe
 *
 * NETRON_SERVICE lists the members, at most 128. Parameters, again at most 128, are (type, name) or
 * (type, name, default): the default, a C expression, is what the implementation gets when the
 * argument is missing, undefined or null. The types are listed in netron/types.h. A method whose
 * result is none has no result parameter.
 *
 * Names. `service_member` is the member itself, so that a call reads like one:
 *
 *   calculator_add(&calc, 2, 3, &sum)             calculator_fibonacci(&calc, 10)
 *
 * Everything else has two underscores after the service and the verb last; so a member may be
 * called query, self, add_start, on_computed or delete. Names of services, members, types, fields
 * and arguments neither begin or end with an underscore nor contain two in a row, and are no
 * macros.
 *
 *   type of      the proxy           calculator
 *                what is served      calculator__self: you define struct calculator__self
 *   both sides   calculator__contract()
 *   client       calculator__query(peer, &calc)           calculator__release(&calc)
 *                calculator__query_as(peer, "calculator@^1", &calc)
 *     method     calculator__add_start(&calc, 2, 3)       returns a calculator__add_future,
 *                calculator__add_wait(&future, &sum)      which ends here
 *                calculator__add_drop(&future)            or here, once
 *     stream     calculator__fibonacci_stream             for netron_each(), or by hand:
 *                calculator__fibonacci_next(&stream, &n)  calculator__fibonacci_close(&stream)
 *     property   calculator__version_get(&calc, &value)   calculator__precision_set(&calc, 3)
 *     event      calculator__computed_on(&calc, handler, on_end, user, &subscription)
 *                calculator__computed_on_with(&calc, &options, handler, ...)   netron_on_options
 *                calculator__computed_handler is void (*)(void *user, netron_str, int64_t)
 *   server       calculator__expose(node, &self)          calculator__unexpose(node)
 *                calculator__provider()
 *     you write  calculator__add_impl(ctx, self, a, b, &result)
 *                calculator__fibonacci_impl(ctx, self, n, out), and in it
 *                  calculator__fibonacci_yield(out, item); out is a calculator__fibonacci_out *
 *                calculator__precision_get_impl(ctx, self, &value) and
 *                calculator__precision_set_impl(ctx, self, value), for NETRON_ACCESS
 *     event      calculator__computed_emit(ctx, op, result)
 *                calculator__computed_emit_with(ctx, &options, op, result)     netron_emit_options
 *
 * The server's file says where properties live and closes the list:
 *
 *   struct calculator__self { netron_str version; int32_t precision; };
 *   NETRON_FIELD(calculator, version);       the field of that name, of exactly that type
 *   NETRON_ACCESS(calculator, precision);    or functions of yours; stands before them
 *   NETRON_PROVIDE(calculator, add, fibonacci, version, precision, computed);
 *                                            or NETRON_PROVIDE_CONCURRENT: on all loops of a node
 *   NETRON_MAIN(calculator, &self);          optional: main(), and a module for `netron serve`
 *
 * A file that only includes the contract needs no _impl. Arguments of an implementation and of a
 * handler are borrowed until it returns; a result is copied when it returns, so what it points to
 * comes from netron_alloc(ctx, size) or lives as long as self.
 *
 * Mistakes. C compilers of today merely warn when a pointer is passed for a number, or the wrong
 * handler for an event. From this header on, to the end of the file, these warnings are errors:
 * -Wint-conversion, -Wincompatible-pointer-types, -Wimplicit-function-declaration. Define
 * NETRON_NO_STRICT before including it to keep them as they were. -Wfloat-conversion is worth
 * turning on. All headers of netron/ are system headers to the compiler, found with -I or not, so that
 * it names your line and not what a macro is made of; NETRON_CHECK_HEADERS turns that off.
 *
 * Contracts, clients and servers are ISO C11 and C++17; netron_each() and netron_with() need GCC or
 * Clang in C. In C++ an exception that leaves an implementation is answered as NETRON_INTERNAL; do
 * not wait inside a catch block, since all fibers of a thread share its list of caught exceptions.
 */
#ifndef NETRON_SERVICE_H
#define NETRON_SERVICE_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/abi.h>
#include <netron/event.h>
#include <netron/foreach.h>
#include <netron/node.h>
#include <netron/types.h>
#include <netron/version.h>

#ifdef __cplusplus
#include <exception>
#endif

#if defined(__GNUC__) && !defined(__cplusplus) && !defined(NETRON_NO_STRICT)
#pragma GCC diagnostic error "-Wint-conversion"
#pragma GCC diagnostic error "-Wincompatible-pointer-types"
#pragma GCC diagnostic error "-Wimplicit-function-declaration"
#endif

/* ---- what differs in C++ ---------------------------------------------------------------- */

/* NT_GUARD: the implementation's error, or NETRON_INTERNAL for what it throws.
 * NT_GUARD_HANDLER: false when the handler throws.
 * NT_SAME: 1 when the field has exactly the type. */
#ifdef __cplusplus
#define NT_C                            extern "C"
#define NT_GUARD(ctx, ...)              nt_guard(ctx, [&]() -> netron_err { return __VA_ARGS__; })
#define NT_GUARD_HANDLER(...)           nt_guard_handler([&]() { __VA_ARGS__; })
#define NT_SAME(struct_, field_, type_) nt_same<decltype(struct_::field_), type_>::value

template <class A, class B> struct nt_same {
    static constexpr bool value = false;
};
template <class A> struct nt_same<A, A> {
    static constexpr bool value = true;
};

#if defined(__cpp_exceptions)
template <class Call> inline netron_err nt_guard(netron_ctx *ctx, Call call)
{
    try {
        return call();
    } catch (const std::exception &thrown) {
        return netron_fail(ctx, NETRON_INTERNAL, "%s", thrown.what());
    } catch (...) {
        return netron_fail(ctx, NETRON_INTERNAL, "the implementation threw");
    }
}
template <class Call> inline bool nt_guard_handler(Call call)
{
    try {
        call();
        return true;
    } catch (...) {
        return false;
    }
}
#else
template <class Call> inline netron_err nt_guard(netron_ctx *, Call call)
{
    return call();
}
template <class Call> inline bool nt_guard_handler(Call call)
{
    call();
    return true;
}
#endif

#else
#define NT_C                            extern
#define NT_GUARD(ctx, ...)              (__VA_ARGS__)
#define NT_GUARD_HANDLER(...)           ((__VA_ARGS__), true)
#define NT_SAME(struct_, field_, type_) _Generic(&((struct_ *)0)->field_, type_ *: 1, default: 0)
#endif

/* ---- service ---------------------------------------------------------------------------- */

#define NT_LISTED(S, M)         nt_listed_##S##__##M,
#define NT_DECLARE_MEMBER(S, M) NT_FN const nt_member *nt_member_##S##__##M(void);
#define NT_MEMBER(S, M)         nt_member_##S##__##M,

#define NETRON_SERVICE(S, ID, ...)                                                                 \
    typedef struct S {                                                                             \
        netron_proxy nt_proxy;                                                                     \
    } S;                                                                                           \
    typedef struct S##__self S##__self;                                                            \
    enum { NT_EACH(NT_LISTED, S, ~, __VA_ARGS__) nt_count_##S };                                   \
    NT_EACH(NT_DECLARE_MEMBER, S, ~, __VA_ARGS__)                                                  \
    static const nt_member_fn nt_members_##S[] NETRON_UNUSED = {                                   \
        NT_EACH(NT_MEMBER, S, ~, __VA_ARGS__)};                                                    \
    static const nt_contract nt_contract_##S NETRON_UNUSED = {ID, nt_members_##S, nt_count_##S};   \
    NT_FN const nt_contract *S##__contract(void)                                                   \
    {                                                                                              \
        return &nt_contract_##S;                                                                   \
    }                                                                                              \
    NT_FN NETRON_MUST_CHECK netron_err S##__query(netron_peer *peer_, S *proxy_)                   \
    {                                                                                              \
        return netron_abi_query(peer_, &nt_contract_##S, ID, &proxy_->nt_proxy);                   \
    }                                                                                              \
    NT_FN NETRON_MUST_CHECK netron_err S##__query_as(netron_peer *peer_, const char *id_,          \
        S *proxy_)                                                                                 \
    {                                                                                              \
        return netron_abi_query(peer_, &nt_contract_##S, id_, &proxy_->nt_proxy);                  \
    }                                                                                              \
    NT_FN void S##__release(S *proxy_)                                                             \
    {                                                                                              \
        netron_abi_release(&proxy_->nt_proxy);                                                     \
    }                                                                                              \
    NT_END

/* The wire name and the documentation of a member come after it, or not at all: in C the member
 * leaves tentative definitions, in C++ variables that are set before main(). */
#ifdef __cplusplus
#define NT_TEXT(name) static const char *name NETRON_UNUSED = nullptr;
#define NT_SET_TEXT(name, known, text)                                                             \
    static const bool name##_is_set NETRON_UNUSED = (name = text, known >= 0);                     \
    NT_END
#else
#define NT_TEXT(name) static const char *const name NETRON_UNUSED;
#define NT_SET_TEXT(name, known, text)                                                             \
    enum { name##_is_set = known };                                                                \
    static const char *const name NETRON_UNUSED = text
#endif
#define NETRON_WIRE_NAME(S, M, text) NT_SET_TEXT(nt_wire_##S##__##M, nt_listed_##S##__##M, text)
#define NETRON_DOC(S, M, text)       NT_SET_TEXT(nt_doc_##S##__##M, nt_listed_##S##__##M, text)

/* In what follows P is calculator__add and CALL is calculator_add; the variable arguments are a
 * head and then the parameters. */
#define NT_DEFINE_MEMBER(P, NAME, KIND, WRITABLE, RESULT, ...)                                     \
    NT_TEXT(nt_wire_##P)                                                                           \
    NT_TEXT(nt_doc_##P)                                                                            \
    enum { nt_writable_##P = WRITABLE };                                                           \
    NT_FN const nt_member *nt_member_##P(void)                                                     \
    {                                                                                              \
        static const nt_param nt_params[] = {                                                      \
            NT_EACH(NT_PARAM_DESCRIBE, , __VA_ARGS__){NULL, NULL, NULL}};                          \
        static const nt_member nt_about = {NAME, &nt_wire_##P, &nt_doc_##P, KIND, WRITABLE,        \
            NT_TAIL_COUNT(__VA_ARGS__), nt_params, RESULT};                                        \
        return &nt_about;                                                                          \
    }

/* What a node may not do to a member of this kind. It is never called. */
#define NT_DEFINE_REFUSAL(function)                                                                \
    NT_FN netron_err function(netron_ctx *ctx_, void *self_, nt_reader *args_)                     \
    {                                                                                              \
        (void)ctx_;                                                                                \
        (void)self_;                                                                               \
        (void)args_;                                                                               \
        return NETRON_UNSUPPORTED;                                                                 \
    }

/* ---- parameters ------------------------------------------------------------------------- */

#define NT_PARAM(k, param)         NT_PARAM_ param
#define NT_PARAM_(T, ...)          , nt_type_##T NT_FIRST(__VA_ARGS__)
#define NT_PARAM_PASS(k, param)    NT_PARAM_PASS_ param
#define NT_PARAM_PASS_(T, ...)     , NT_FIRST(__VA_ARGS__)
#define NT_PARAM_DECLARE(k, param) NT_PARAM_DECLARE_ param
#define NT_PARAM_DECLARE_(T, ...)  nt_type_##T NT_FIRST(__VA_ARGS__) = NT_ZERO;
#define NT_PARAM_PUT(k, param)     NT_PARAM_PUT_ param
#define NT_PARAM_PUT_(T, ...)      nt_put_##T(nt_w, NT_FIRST(__VA_ARGS__));

#define NT_PARAM_DESCRIBE(k, param) NT_PARAM_DESCRIBE_ param
#define NT_PARAM_DESCRIBE_(T, ...)                                                                 \
    NT_FEW_CAT(NT_PARAM_DESCRIBE_, NT_FEW(T, __VA_ARGS__))(T, __VA_ARGS__)
#define NT_PARAM_DESCRIBE_2(T, N)    {#N, nt_info_##T, NULL},
#define NT_PARAM_DESCRIBE_3(T, N, D) {#N, nt_info_##T, #D},

/* One step of a condition: read the argument, or do without it; then count it. */
#define NT_PARAM_GET(k, param) NT_PARAM_GET_ param
#define NT_PARAM_GET_(T, ...)  NT_FEW_CAT(NT_PARAM_GET_, NT_FEW(T, __VA_ARGS__))(T, __VA_ARGS__)
#define NT_PARAM_GET_2(T, N)                                                                       \
    && (nt_next_argument(args_) ? nt_get_##T(args_, &N) : nt_missing_##T(&N)) && ++nt_at
#define NT_PARAM_GET_3(T, N, D)                                                                    \
    && (nt_next_argument(args_) && !netron_abi_get_nothing(args_)                                  \
               ? nt_get_##T(args_, &N)                                                             \
               : nt_default_##T(&N, D)) && ++nt_at

/* Declares the arguments and reads them from args_, or fails the call of ctx_. */
#define NT_TAKE_ARGUMENTS(P, ...)                                                                  \
    NT_EACH(NT_PARAM_DECLARE, , __VA_ARGS__)                                                       \
    unsigned nt_at = 0;                                                                            \
    if (!(true NT_EACH(NT_PARAM_GET, , __VA_ARGS__)))                                              \
        return netron_abi_bad_argument(ctx_, args_, nt_member_##P(), nt_at);                       \
    netron_err nt_err = nt_end_arguments(ctx_, args_, nt_member_##P());                            \
    if (nt_err != NETRON_OK)                                                                       \
        return nt_err;

/* Begins the request nt_c on proxy_ and writes its arguments. */
#define NT_BEGIN_REQUEST(P, KIND, ...)                                                             \
    nt_call *nt_c = netron_abi_call_begin(&proxy_->nt_proxy, nt_listed_##P, KIND);                 \
    nt_writer *nt_w = &nt_c->writer;                                                               \
    (void)nt_w;                                                                                    \
    NT_EACH(NT_PARAM_PUT, , __VA_ARGS__)

/* ---- methods ---------------------------------------------------------------------------- */

#define NT_RESULT_PARAM_SOME(T)   , nt_type_##T *result_
#define NT_RESULT_PARAM_NONE(T)
#define NT_RESULT_LOAD_SOME(T)    nt_load_##T, result_
#define NT_RESULT_LOAD_NONE(T)    NULL, NULL
#define NT_RESULT_INFO_SOME(T)    nt_info_##T
#define NT_RESULT_INFO_NONE(T)    NULL
#define NT_RESULT_DECLARE_SOME(T) nt_type_##T nt_result = NT_ZERO;
#define NT_RESULT_DECLARE_NONE(T)
#define NT_RESULT_PASS_SOME(T)    , &nt_result
#define NT_RESULT_PASS_NONE(T)
#define NT_RESULT_REPLY_NONE(T)   return netron_abi_reply_nothing(ctx_);
#define NT_RESULT_REPLY_SOME(T)                                                                    \
    nt_writer *nt_w = netron_abi_reply_begin(ctx_);                                                \
    if (nt_w != NULL)                                                                              \
        nt_put_##T(nt_w, nt_result);                                                               \
    return netron_abi_reply_end(ctx_);

#define NETRON_METHOD(S, M, ...)                                                                   \
    NT_APPLY(NT_DEFINE_METHOD, S, S##_##M, S##__##M, #M, NT_FIRST(__VA_ARGS__), __VA_ARGS__) NT_END

#define NT_DEFINE_METHOD(S, CALL, P, NAME, T, ...)                                                 \
    NT_C netron_err P##_impl(netron_ctx *ctx_,                                                     \
        S##__self *self_ NT_EACH(NT_PARAM, , __VA_ARGS__) NT_RESULT(NT_RESULT_PARAM, T));          \
    NT_FN NETRON_MUST_CHECK netron_err CALL(                                                       \
        const S *proxy_ NT_EACH(NT_PARAM, , __VA_ARGS__) NT_RESULT(NT_RESULT_PARAM, T))            \
    {                                                                                              \
        NT_BEGIN_REQUEST(P, NT_REQUEST_CALL, __VA_ARGS__)                                          \
        return netron_abi_call_await(nt_c, NT_RESULT(NT_RESULT_LOAD, T));                          \
    }                                                                                              \
    typedef struct P##_future {                                                                    \
        netron_future nt_future;                                                                   \
    } P##_future;                                                                                  \
    NT_FN NETRON_MUST_CHECK P##_future P##_start(                                                  \
        const S *proxy_ NT_EACH(NT_PARAM, , __VA_ARGS__))                                          \
    {                                                                                              \
        P##_future nt_started;                                                                     \
        NT_BEGIN_REQUEST(P, NT_REQUEST_CALL, __VA_ARGS__)                                          \
        nt_started.nt_future = netron_abi_call_start(nt_c);                                        \
        return nt_started;                                                                         \
    }                                                                                              \
    NT_FN NETRON_MUST_CHECK netron_err P##_wait(                                                   \
        P##_future *future_ NT_RESULT(NT_RESULT_PARAM, T))                                         \
    {                                                                                              \
        return netron_abi_future_wait(&future_->nt_future, NT_RESULT(NT_RESULT_LOAD, T));          \
    }                                                                                              \
    NT_FN void P##_drop(P##_future *future_)                                                       \
    {                                                                                              \
        netron_abi_future_drop(&future_->nt_future);                                               \
    }                                                                                              \
    NT_DEFINE_MEMBER(P, NAME, NT_METHOD, false, NT_RESULT(NT_RESULT_INFO, T), __VA_ARGS__)         \
    NT_FN netron_err nt_call_##P(netron_ctx *ctx_, void *self_, nt_reader *args_)                  \
    {                                                                                              \
        NT_TAKE_ARGUMENTS(P, __VA_ARGS__)                                                          \
        NT_RESULT(NT_RESULT_DECLARE, T)                                                            \
        nt_err = NT_GUARD(ctx_, P##_impl(ctx_, (S##__self *)self_ NT_EACH(NT_PARAM_PASS, ,         \
            __VA_ARGS__) NT_RESULT(NT_RESULT_PASS, T)));                                           \
        if (nt_err != NETRON_OK)                                                                   \
            return nt_err;                                                                         \
        NT_RESULT(NT_RESULT_REPLY, T)                                                              \
    }                                                                                              \
    NT_DEFINE_REFUSAL(nt_set_##P)

/* ---- streams ---------------------------------------------------------------------------- */

/* One end of a stream that is being read; where the loop wants to know how it ended. */
typedef struct nt_reading {
    netron_stream stream;
    netron_err *err;
} nt_reading;

NT_FN void nt_reading_begin(nt_reading *reading, netron_err *err)
{
    reading->err = err;
    if (err != NULL)
        *err = NETRON_OK;
}

NT_FN netron_err nt_reading_close(nt_reading *reading)
{
    netron_err err = reading->stream.err;
    netron_abi_stream_close(&reading->stream);
    if (reading->err != NULL && err != NETRON_OK)
        *reading->err = err;
    return err;
}

#define NETRON_STREAM(S, M, ...)                                                                   \
    NT_APPLY(NT_DEFINE_STREAM, S, S##_##M, S##__##M, #M, NT_FIRST(__VA_ARGS__), __VA_ARGS__) NT_END

#define NT_DEFINE_STREAM(S, CALL, P, NAME, T, ...)                                                 \
    typedef struct P##_out {                                                                       \
        struct nt_out *nt_out;                                                                     \
    } P##_out;                                                                                     \
    NT_C netron_err P##_impl(netron_ctx *ctx_,                                                     \
        S##__self *self_ NT_EACH(NT_PARAM, , __VA_ARGS__), P##_out *out_);                         \
    NT_FN NETRON_MUST_CHECK netron_err P##_yield(P##_out *out_, nt_type_##T item_)                 \
    {                                                                                              \
        nt_writer *nt_w = netron_abi_yield_begin(out_->nt_out);                                    \
        if (nt_w != NULL)                                                                          \
            nt_put_##T(nt_w, item_);                                                               \
        return netron_abi_yield_end(out_->nt_out);                                                 \
    }                                                                                              \
    typedef struct P##_stream {                                                                    \
        nt_reading nt_reading_;                                                                    \
        nt_type_##T nt_item;                                                                       \
    } P##_stream;                                                                                  \
    NT_FN NETRON_MUST_CHECK P##_stream CALL(const S *proxy_ NT_EACH(NT_PARAM, , __VA_ARGS__))      \
    {                                                                                              \
        P##_stream nt_opened = NT_ZERO;                                                            \
        NT_BEGIN_REQUEST(P, NT_REQUEST_CALL, __VA_ARGS__)                                          \
        nt_opened.nt_reading_.stream = netron_abi_stream_open(nt_c, nt_load_##T);                  \
        return nt_opened;                                                                          \
    }                                                                                              \
    NT_FN bool P##_next(P##_stream *stream_, nt_type_##T *item_)                                   \
    {                                                                                              \
        return netron_abi_stream_next(&stream_->nt_reading_.stream, item_);                        \
    }                                                                                              \
    NT_FN netron_err P##_close(P##_stream *stream_)                                                \
    {                                                                                              \
        return nt_reading_close(&stream_->nt_reading_);                                            \
    }                                                                                              \
    NT_FN NETRON_MUST_CHECK netron_err P##_limit(P##_stream *stream_, netron_rate rate_)           \
    {                                                                                              \
        return netron_abi_limit(stream_->nt_reading_.stream.handle, rate_);                        \
    }                                                                                              \
    NT_FN NETRON_MUST_CHECK netron_err P##_pace(P##_out *out_, netron_rate rate_)                  \
    {                                                                                              \
        return netron_abi_pace(out_->nt_out, rate_);                                               \
    }                                                                                              \
    NT_DEFINE_MEMBER(P, NAME, NT_STREAM, false, nt_info_##T, __VA_ARGS__)                          \
    NT_FN netron_err nt_call_##P(netron_ctx *ctx_, void *self_, nt_reader *args_)                  \
    {                                                                                              \
        NT_TAKE_ARGUMENTS(P, __VA_ARGS__)                                                          \
        P##_out nt_o;                                                                              \
        nt_o.nt_out = netron_abi_stream_begin(ctx_);                                               \
        if (nt_o.nt_out != NULL)                                                                   \
            nt_err = NT_GUARD(ctx_, P##_impl(ctx_, (S##__self *)self_ NT_EACH(NT_PARAM_PASS, ,     \
                __VA_ARGS__), &nt_o));                                                             \
        return netron_abi_stream_end(ctx_, nt_o.nt_out, nt_err);                                   \
    }                                                                                              \
    NT_DEFINE_REFUSAL(nt_set_##P)

/* netron_each(n, &err, calculator_fibonacci(&calc, 10)) statement
 *
 * Run the statement for every item, as n. Leaving it by break, return, goto or an exception stops
 * the far generator. err is NETRON_OK at first, and afterwards what the statement has set it to or, if the
 * stream broke, why; a NULL in its place is allowed. An item is valid until the next one. Suspends. */
#ifdef __cplusplus

template <class Stream> class nt_each_range
{
public:
    struct end_mark {
    };
    struct iterator {
        nt_each_range *range;
        bool more;
        bool operator!=(end_mark) const
        {
            return more;
        }
        void operator++()
        {
            more = range->next();
        }
        auto &operator*() const
        {
            return range->stream.nt_item;
        }
    };
    nt_each_range(const Stream &opened, netron_err *err) : stream(opened)
    {
        nt_reading_begin(&stream.nt_reading_, err);
    }
    nt_each_range(const nt_each_range &) = delete;
    nt_each_range &operator=(const nt_each_range &) = delete;
    ~nt_each_range()
    {
        (void)nt_reading_close(&stream.nt_reading_);
    }
    iterator begin()
    {
        return iterator{this, next()};
    }
    end_mark end() const
    {
        return end_mark{};
    }

private:
    bool next()
    {
        return netron_abi_stream_next(&stream.nt_reading_.stream, &stream.nt_item);
    }
    Stream stream;
};

template <class Stream, class = decltype(Stream::nt_item)>
inline nt_each_range<Stream> nt_each(const Stream &opened, netron_err *err)
{
    return nt_each_range<Stream>(opened, err);
}

#define netron_each(name, err, call) for (NETRON_UNUSED auto name : nt_each(call, err))

#else

/* These take the address of any P_stream: it starts with its nt_reading. */
NT_FN void *nt_each_begin(void *stream, netron_err *err)
{
    nt_reading_begin((nt_reading *)stream, err);
    return stream;
}

NT_FN void nt_each_end(void *stream)
{
    (void)nt_reading_close((nt_reading *)stream);
}

#define netron_each(name, err, call) NT_EACH_ITEM(name, err, call, NT_CAT(nt_stream_, __LINE__))
#define NT_EACH_ITEM(name, err, call, stream_)                                                     \
    for (__typeof__(call) stream_ __attribute__((cleanup(nt_each_end))) = (call),                  \
             *NT_CAT(stream_, _once) = nt_each_begin(&stream_, err);                               \
         NT_CAT(stream_, _once) != NULL; NT_CAT(stream_, _once) = NULL)                            \
        for (__typeof__(stream_.nt_item) name;                                                     \
             netron_abi_stream_next(&stream_.nt_reading_.stream, &name);)

#endif

/* ---- properties ------------------------------------------------------------------------- */

#define NETRON_PROP_RO(S, M, T) NT_APPLY(NT_DEFINE_PROPERTY, S, S##__##M, #M, T, false) NT_END
#define NETRON_PROP_RW(S, M, T)                                                                    \
    NT_APPLY(NT_DEFINE_PROPERTY, S, S##__##M, #M, T, true)                                         \
    NT_APPLY(NT_DEFINE_SETTER, S, S##__##M, T) NT_END

#define NT_DEFINE_PROPERTY(S, P, NAME, T, WRITABLE)                                                \
    typedef nt_type_##T nt_value_##P;                                                              \
    enum { nt_flat_##P = nt_flat_##T };                                                            \
    NT_FN NETRON_MUST_CHECK netron_err P##_get(const S *proxy_, nt_type_##T *value_)               \
    {                                                                                              \
        NT_BEGIN_REQUEST(P, NT_REQUEST_GET, ~)                                                     \
        return netron_abi_call_await(nt_c, nt_load_##T, value_);                                   \
    }                                                                                              \
    NT_DEFINE_MEMBER(P, NAME, NT_PROPERTY, WRITABLE, nt_info_##T, ~)                               \
    NT_FN netron_err nt_reply_##P(netron_ctx *ctx_, nt_type_##T value_)                            \
    {                                                                                              \
        nt_writer *nt_w = netron_abi_reply_begin(ctx_);                                            \
        if (nt_w != NULL)                                                                          \
            nt_put_##T(nt_w, value_);                                                              \
        return netron_abi_reply_end(ctx_);                                                         \
    }                                                                                              \
    NT_FN netron_err nt_take_##P(netron_ctx *ctx_, nt_reader *args_, nt_type_##T *value_)          \
    {                                                                                              \
        NT_TAKE_ARGUMENTS(P, ~, (T, nt_value))                                                     \
        *value_ = nt_value;                                                                        \
        return NETRON_OK;                                                                          \
    }

#define NT_DEFINE_SETTER(S, P, T)                                                                  \
    NT_FN NETRON_MUST_CHECK netron_err P##_set(const S *proxy_, nt_type_##T value_)                \
    {                                                                                              \
        NT_BEGIN_REQUEST(P, NT_REQUEST_SET, ~, (T, value_))                                        \
        return netron_abi_call_await(nt_c, NULL, NULL);                                            \
    }

#define NETRON_FIELD(S, M)  NT_BIND_FIELD(S, S##__self, S##__##M, M) NT_END
#define NETRON_ACCESS(S, M) NT_BIND_ACCESS(S##__self, S##__##M) NT_END

#define NT_BIND_FIELD(S, SELF, P, M)                                                               \
    NT_STATIC_ASSERT(NT_SAME(SELF, M, nt_value_##P),                                               \
        "NETRON_FIELD(" #S ", " #M "): the field does not have the type of the property");         \
    NT_STATIC_ASSERT((int)nt_writable_##P <= (int)nt_flat_##P,                                     \
        "NETRON_FIELD(" #S ", " #M "): what a peer writes is gone after the call and this type "   \
        "points to it; use NETRON_ACCESS and copy");                                               \
    NT_FN netron_err nt_call_##P(netron_ctx *ctx_, void *self_, nt_reader *args_)                  \
    {                                                                                              \
        (void)args_;                                                                               \
        return nt_reply_##P(ctx_, ((SELF *)self_)->M);                                             \
    }                                                                                              \
    NT_FN netron_err nt_set_##P(netron_ctx *ctx_, void *self_, nt_reader *args_)                   \
    {                                                                                              \
        netron_err nt_err = nt_take_##P(ctx_, args_, &((SELF *)self_)->M);                         \
        return nt_err == NETRON_OK ? netron_abi_reply_nothing(ctx_) : nt_err;                      \
    }

#define NT_BIND_ACCESS(SELF, P)                                                                    \
    NT_C netron_err P##_get_impl(netron_ctx *ctx_, SELF *self_, nt_value_##P *value_);             \
    NT_C netron_err P##_set_impl(netron_ctx *ctx_, SELF *self_, nt_value_##P value_);              \
    NT_FN netron_err nt_call_##P(netron_ctx *ctx_, void *self_, nt_reader *args_)                  \
    {                                                                                              \
        nt_value_##P nt_value = NT_ZERO;                                                           \
        netron_err nt_err = NT_GUARD(ctx_, P##_get_impl(ctx_, (SELF *)self_, &nt_value));          \
        (void)args_;                                                                               \
        return nt_err == NETRON_OK ? nt_reply_##P(ctx_, nt_value) : nt_err;                        \
    }                                                                                              \
    NT_FN netron_err nt_set_##P(netron_ctx *ctx_, void *self_, nt_reader *args_)                   \
    {                                                                                              \
        nt_value_##P nt_value = NT_ZERO;                                                           \
        netron_err nt_err = nt_take_##P(ctx_, args_, &nt_value);                                   \
        if (nt_err == NETRON_OK)                                                                   \
            nt_err = NT_GUARD(ctx_, P##_set_impl(ctx_, (SELF *)self_, nt_value));                  \
        return nt_err == NETRON_OK ? netron_abi_reply_nothing(ctx_) : nt_err;                      \
    }

/* ---- events ----------------------------------------------------------------------------- */

#define NETRON_EVENT(S, ...) NT_APPLY(NT_EVENT_NAMED, S, NT_FIRST(__VA_ARGS__), __VA_ARGS__) NT_END
#define NT_EVENT_NAMED(S, M, ...) NT_DEFINE_EVENT(S, S##__##M, #M, __VA_ARGS__)

#define NT_DEFINE_EVENT(S, P, NAME, ...)                                                           \
    typedef void (*P##_handler)(void *user_ NT_EACH(NT_PARAM, , __VA_ARGS__));                     \
    NT_DEFINE_MEMBER(P, NAME, NT_EVENT, false, NULL, __VA_ARGS__)                                  \
    NT_FN bool nt_deliver_##P(void *user_, nt_handler_fn handler_, nt_reader *args_)               \
    {                                                                                              \
        NT_EACH(NT_PARAM_DECLARE, , __VA_ARGS__)                                                   \
        unsigned nt_at = 0;                                                                        \
        if (!(true NT_EACH(NT_PARAM_GET, , __VA_ARGS__)))                                          \
            return false;                                                                          \
        (void)args_;                                                                               \
        (void)nt_at;                                                                               \
        return NT_GUARD_HANDLER(((P##_handler)handler_)(user_ NT_EACH(NT_PARAM_PASS, ,             \
            __VA_ARGS__)));                                                                        \
    }                                                                                              \
    NT_FN NETRON_MUST_CHECK netron_err P##_on_with(const S *proxy_,                                \
        const netron_on_options *options_, P##_handler handler_, netron_end_fn on_end_,            \
        void *user_, netron_subscription **subscription_)                                          \
    {                                                                                              \
        return netron_abi_subscribe(&proxy_->nt_proxy, nt_listed_##P, options_, nt_deliver_##P,    \
            (nt_handler_fn)handler_, on_end_, user_, subscription_);                               \
    }                                                                                              \
    NT_FN NETRON_MUST_CHECK netron_err P##_on(const S *proxy_, P##_handler handler_,               \
        netron_end_fn on_end_, void *user_, netron_subscription **subscription_)                   \
    {                                                                                              \
        return P##_on_with(proxy_, NULL, handler_, on_end_, user_, subscription_);                 \
    }                                                                                              \
    NT_FN NETRON_MUST_CHECK netron_err P##_emit_with(netron_ctx *ctx_,                             \
        const netron_emit_options *options_ NT_EACH(NT_PARAM, , __VA_ARGS__))                      \
    {                                                                                              \
        nt_emit nt_e;                                                                              \
        nt_writer *nt_w = netron_abi_emit_begin(                                                   \
            &nt_e, ctx_, &nt_contract_##S, nt_listed_##P, options_);                               \
        if (nt_w != NULL) {                                                                        \
            NT_EACH(NT_PARAM_PUT, , __VA_ARGS__)                                                   \
        }                                                                                          \
        return netron_abi_emit_end(&nt_e);                                                         \
    }                                                                                              \
    NT_FN NETRON_MUST_CHECK netron_err P##_emit(                                                   \
        netron_ctx *ctx_ NT_EACH(NT_PARAM, , __VA_ARGS__))                                         \
    {                                                                                              \
        return P##_emit_with(ctx_, NULL NT_EACH(NT_PARAM_PASS, , __VA_ARGS__));                    \
    }                                                                                              \
    NT_DEFINE_REFUSAL(nt_call_##P)                                                                 \
    NT_DEFINE_REFUSAL(nt_set_##P)

/* ---- serving ---------------------------------------------------------------------------- */

/* A name that was never declared, or that stands here twice, is an error of the enumeration; one
 * that is left out, of the count. So both lists hold the same names. */
#define NT_PROVIDED(S, M) nt_provided_##S##__##M = nt_listed_##S##__##M,
#define NT_BINDING(S, M)                                                                           \
    {nt_listed_##S##__##M, nt_call_##S##__##M,                                                     \
        nt_writable_##S##__##M ? nt_set_##S##__##M : NULL},

#define NETRON_PROVIDE(S, ...) NT_PROVIDE(S, false, __VA_ARGS__)

/* The same, for a service whose methods and streams may run on all loops of a node at the same time
 * (option threads). What they share - self, above all - is theirs to guard. Properties are read and
 * written on the node's own loop. */
#define NETRON_PROVIDE_CONCURRENT(S, ...) NT_PROVIDE(S, true, __VA_ARGS__)

#define NT_PROVIDE(S, IS_CONCURRENT, ...)                                                          \
    enum { NT_EACH(NT_PROVIDED, S, ~, __VA_ARGS__) nt_provided_##S };                              \
    NT_STATIC_ASSERT(NT_TAIL_COUNT(~, __VA_ARGS__) == (int)nt_count_##S,                           \
        "NETRON_PROVIDE(" #S "): a member of NETRON_SERVICE is missing here");                     \
    NT_FN const nt_provider *S##__provider(void)                                                   \
    {                                                                                              \
        static const nt_binding nt_bindings[] = {NT_EACH(NT_BINDING, S, ~, __VA_ARGS__)};          \
        static const nt_provider nt_offer = {                                                      \
            &nt_contract_##S, nt_bindings, nt_count_##S, IS_CONCURRENT};                           \
        return &nt_offer;                                                                          \
    }                                                                                              \
    /* Publish self, which is yours and must outlive the node or S__unexpose(). */                 \
    NT_FN NETRON_MUST_CHECK netron_err S##__expose(netron *node_, S##__self *self_)                \
    {                                                                                              \
        return netron_abi_expose(node_, S##__provider(), self_, 0);                                \
    }                                                                                              \
    NT_FN NETRON_MUST_CHECK netron_err S##__unexpose(netron *node_)                                \
    {                                                                                              \
        return netron_abi_unexpose(node_, &nt_contract_##S);                                       \
    }                                                                                              \
    NT_END

/* A whole program that serves one service: `program --listen ws://127.0.0.1:7070 --threads 2`. The same file,
 * built with -shared, is a module for `netron serve`. SELF is the address of a static object, or
 * NULL. */
#define NETRON_MAIN(S, SELF)                                                                       \
    static S##__self *const nt_self_##S NETRON_UNUSED = (SELF);                                    \
    NT_C NETRON_API const nt_module *netron_module(void);                                          \
    const nt_module *netron_module(void)                                                           \
    {                                                                                              \
        static const nt_module nt_this = {NETRON_ABI_VERSION, sizeof(nt_module), S##__provider,    \
            (SELF)};                                                                               \
        return &nt_this;                                                                           \
    }                                                                                              \
    int main(int argc_, char **argv_)                                                              \
    {                                                                                              \
        return netron_abi_main(argc_, argv_, netron_module());                                     \
    }                                                                                              \
    NT_END

/* ---- options of one call ---------------------------------------------------------------- */

/* netron_with(&calc, .timeout_ms = 200, .scope = &scope, .ctx = ctx) in place of &calc makes one
 * call with these netron_call_options; those not named are as if zero. In C++ the options are a
 * value: netron_with(&calc, options). */
#ifdef __cplusplus

template <class Service> struct nt_with_options {
    Service proxy;
    operator const Service *() const
    {
        return &proxy;
    }
};

template <class Service>
inline nt_with_options<Service> netron_with(const Service *proxy,
    const netron_call_options &options)
{
    nt_with_options<Service> copy = {*proxy};
    copy.proxy.nt_proxy.options = options;
    return copy;
}

#else

NT_FN netron_proxy nt_with(const netron_proxy *proxy, netron_call_options options)
{
    netron_proxy copy = *proxy;
    copy.options = options;
    return copy;
}

#define netron_with(proxy, ...)                                                                    \
    (&(const __typeof__(*(proxy))){                                                                \
        nt_with(&(proxy)->nt_proxy, (netron_call_options){__VA_ARGS__})})

#endif

#endif
