/* stream_rate.c - limits on how fast a stream goes, for programs. */
#include <netron/dynamic.h>

#include "base/error.h"
#include "comm/stream.h"

netron_err netron_abi_limit(struct nt_stream *stream, netron_rate rate)
{
    if (stream == NULL)
        return nt_fail(NETRON_INVALID, "the stream is closed");
    return nt_rate_set(&stream->rate, stream->loop, &rate);
}

netron_err netron_abi_pace(struct nt_out *out, netron_rate rate)
{
    if (out == NULL)
        return nt_fail(NETRON_INVALID, "the stream has ended");
    return nt_rate_set(&out->rate, out->loop, &rate);
}

netron_err netron_stream_limit(netron_stream *stream, netron_rate rate)
{
    return netron_abi_limit(stream->handle, rate);
}

netron_err netron_out_limit(netron_out *out, netron_rate rate)
{
    return netron_abi_pace((nt_out *)(void *)out, rate);
}
