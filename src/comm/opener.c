/* opener.c - the streams that came with a call or an answer, and what becomes of them at its end. */
#include "comm/stream.h"

#include "base/error.h"

void nt_stream_opened_by(nt_stream *stream, nt_opener *opener)
{
    stream->opener = opener;
    stream->next_opened = opener->opened;
    opener->opened = stream;
}

void nt_out_opened_by(nt_out *out, nt_opener *opener)
{
    out->opener = opener;
    out->next_asked = opener->asked;
    opener->asked = out;
}

void nt_opener_forget_stream(nt_stream *stream)
{
    if (stream->opener == NULL)
        return;
    nt_stream **at = &stream->opener->opened;
    while (*at != stream)
        at = &(*at)->next_opened;
    *at = stream->next_opened;
    stream->opener = NULL;
}

void nt_opener_forget_out(nt_out *out)
{
    if (out->opener == NULL)
        return;
    nt_out **at = &out->opener->asked;
    while (*at != out)
        at = &(*at)->next_asked;
    *at = out->next_asked;
    out->opener = NULL;
}

void nt_opener_close(nt_opener *opener)
{
    while (opener->opened != NULL)
        nt_stream_leave(opener->opened);
    while (opener->asked != NULL)
        (void)nt_out_finish(opener->asked, NETRON_INTERNAL, "its handler returned without ending it");
}

void nt_opener_release(nt_opener *opener)
{
    while (opener->opened != NULL)
        nt_opener_forget_stream(opener->opened);
    while (opener->asked != NULL)
        nt_opener_forget_out(opener->asked);
}
