/* Names that would collide if the contract's own names were chosen with less care: what a service
 * generates as members, members beside their own verbs, keywords of C and C++, and arguments named
 * like parameters of the generated functions. Compiles as C11 and C++17. */
#ifndef AWKWARD_H
#define AWKWARD_H

#include <netron/service.h>

NETRON_ENUM  (kind, default, delete, register, class, new, kind, index);
NETRON_STRUCT(result, (str, key), (i64, value), (list_i64, items), (u32, count), (opt_bool, kind));
NETRON_STRUCT(ctx, (str, self), (result, result), (kind, type), (map_any, map));

NETRON_SERVICE(awkward, "awkward@1.0.0",
    /* what a service has */
    query, query_as, id, expose, unexpose, release, service, self, contract, provider, proxy, peer,
    nt, count, index, member, name, wire, doc, main, netron, str, i64,
    /* members beside their verbs */
    add, add_start, add_wait, add_drop, add_future, add_impl, start_add,
    numbers, numbers_out, numbers_yield, numbers_stream, numbers_next, numbers_close, next,
    x, on_x, x_on, x_emit, x_handler, x_start, emit_x, emit, on,
    precision, get_precision, set_precision, precision_get, precision_set, get, set,
    /* keywords of C or C++ */
    delete, default, register, class, new, this, template, operator, for, return, int, struct,
    switch, static, const, goto, and, or, not, xor, union, void, typeof,
    /* words of the generated code */
    args, result, ctx, user, c, impl, future, out, item, stream, value, handler, err);

NETRON_METHOD (awkward, query,     i64, (str, query));
NETRON_METHOD (awkward, query_as,  i64, (str, id));
NETRON_METHOD (awkward, id,        str);
NETRON_METHOD (awkward, expose,    none, (i64, node));
NETRON_METHOD (awkward, unexpose,  none);
NETRON_METHOD (awkward, release,   none);
NETRON_METHOD (awkward, service,   bool);
NETRON_PROP_RW(awkward, self,      i64);
NETRON_METHOD (awkward, contract,  none);
NETRON_STREAM (awkward, provider,  i64);
NETRON_EVENT  (awkward, proxy);
NETRON_METHOD (awkward, peer,      none, (i64, peer));
NETRON_PROP_RO(awkward, nt,        u8);
NETRON_METHOD (awkward, count,     none);
NETRON_METHOD (awkward, index,     none);
NETRON_METHOD (awkward, member,    none);
NETRON_METHOD (awkward, name,      none);
NETRON_METHOD (awkward, wire,      none);
NETRON_METHOD (awkward, doc,       none);
NETRON_METHOD (awkward, main,      none);
NETRON_METHOD (awkward, netron,    none);
NETRON_METHOD (awkward, str,       str, (str, str));
NETRON_METHOD (awkward, i64,       i64, (i64, i64));

NETRON_METHOD (awkward, add,        i64, (i64, a), (i64, b));
NETRON_METHOD (awkward, add_start,  i64, (i64, a));
NETRON_METHOD (awkward, add_wait,   i64);
NETRON_METHOD (awkward, add_drop,   i64);
NETRON_METHOD (awkward, add_future, i64);
NETRON_METHOD (awkward, add_impl,   i64);
NETRON_METHOD (awkward, start_add,  i64);

NETRON_STREAM (awkward, numbers,        u64, (u32, n));
NETRON_METHOD (awkward, numbers_out,    none);
NETRON_METHOD (awkward, numbers_yield,  none);
NETRON_STREAM (awkward, numbers_stream, u64);
NETRON_METHOD (awkward, numbers_next,   none);
NETRON_METHOD (awkward, numbers_close,  none);
NETRON_STREAM (awkward, next,           i64, (i64, next));

NETRON_EVENT  (awkward, x,         (i64, x));
NETRON_METHOD (awkward, on_x,      none);
NETRON_METHOD (awkward, x_on,      none);
NETRON_METHOD (awkward, x_emit,    none);
NETRON_METHOD (awkward, x_handler, none);
NETRON_METHOD (awkward, x_start,   none);
NETRON_METHOD (awkward, emit_x,    none);
NETRON_EVENT  (awkward, emit,      (i64, emit));
NETRON_EVENT  (awkward, on,        (i64, on));

NETRON_PROP_RW(awkward, precision,     i32);
NETRON_METHOD (awkward, get_precision, i32);
NETRON_METHOD (awkward, set_precision, none, (i32, value));
NETRON_METHOD (awkward, precision_get, i32);
NETRON_METHOD (awkward, precision_set, none, (i32, value));
NETRON_PROP_RW(awkward, get,           i32);
NETRON_PROP_RW(awkward, set,           i32);

NETRON_METHOD (awkward, delete,   none, (str, key));
NETRON_METHOD (awkward, default,  kind, (kind, kind));
NETRON_METHOD (awkward, register, none);
NETRON_STREAM (awkward, class,    kind);
NETRON_METHOD (awkward, new,      ctx, (ctx, ctx));
NETRON_EVENT  (awkward, this,     (result, result));
NETRON_METHOD (awkward, template, none);
NETRON_METHOD (awkward, operator, none);
NETRON_METHOD (awkward, for,      none);
NETRON_METHOD (awkward, return,   none);
NETRON_METHOD (awkward, int,      i32);
NETRON_METHOD (awkward, struct,   none);
NETRON_METHOD (awkward, switch,   none);
NETRON_METHOD (awkward, static,   none);
NETRON_METHOD (awkward, const,    none);
NETRON_METHOD (awkward, goto,     none);
NETRON_METHOD (awkward, and,      none);
NETRON_METHOD (awkward, or,       none);
NETRON_METHOD (awkward, not,      none);
NETRON_METHOD (awkward, xor,      none);
NETRON_METHOD (awkward, union,    none);
NETRON_METHOD (awkward, void,     none);
NETRON_METHOD (awkward, typeof,   none);

NETRON_METHOD (awkward, args,    i64, (i64, args), (i64, c), (i64, user), (i64, self), (i64, at));
NETRON_METHOD (awkward, result,  result, (i64, proxy), (i64, call), (i64, writer), (i64, reader));
NETRON_METHOD (awkward, ctx,     ctx, (i64, ctx), (i64, out), (i64, value), (opt_i64, at));
NETRON_METHOD (awkward, user,    none, (i64, err), (i64, future), (i64, wide, 3), (i64, name, 4));
NETRON_METHOD (awkward, c,       none, (any, c), (list_str, k), (map_bytes, m), (date, x));
NETRON_METHOD (awkward, impl,    none, (f32, a), (f64, b), (u8, u), (u16, v), (i8, i), (i16, j));
NETRON_METHOD (awkward, future,  i64, (i64, future));
NETRON_METHOD (awkward, out,     i64, (i64, out));
NETRON_STREAM (awkward, item,    i64, (i64, item), (i64, stream));
NETRON_STREAM (awkward, stream,  i64, (i64, out), (i64, self), (i64, ctx));
NETRON_PROP_RW(awkward, value,   i64);
NETRON_EVENT  (awkward, handler, (i64, user), (i64, handler), (i64, ctx), (i64, args), (i64, err));
NETRON_METHOD (awkward, err,     none, (str, text, netron_s("a, b")));

NETRON_WIRE_NAME(awkward, delete, "delete-it");
NETRON_WIRE_NAME(awkward, precision, "Precision");
NETRON_WIRE_NAME(awkward, x, "x-changed");
NETRON_DOC(awkward, new, "Makes one.");
NETRON_DOC(awkward, default, "What there is otherwise.");

#endif
