/* cutter.c - see cutter.h. */
#include "cutter.h"

#include "support/check.h"

#include <stdio.h>
#include <stdlib.h>

/* One of the two sockets of a line. */
typedef struct end {
    uv_tcp_t tcp;
    struct line *line;
    struct end *other;
} end;

/* A connection that is passed on. */
typedef struct line {
    cutter *owner;
    struct line *next;
    end client, target;
    uv_connect_t connect;
    uv_buf_t early; /* what came before the target was connected */
    bool is_connected;
    bool is_ending; /* cut when what waits is written */
    bool is_cut;
    bool is_stalled;
    unsigned closed;
    /* Messages from the target: a u32 length before each. */
    uint8_t head[4];
    size_t head_count, left;
    uint32_t messages;
    size_t bytes;
} line;

typedef struct write_job {
    uv_write_t write;
    line *cut_after; /* or NULL */
    char data[];
} write_job;

static void on_end_closed(uv_handle_t *handle)
{
    line *l = ((end *)handle->data)->line;
    cutter *c = l->owner;
    c->open--;
    if (++l->closed < 2)
        return;
    for (line **at = &c->first; *at != NULL; at = &(*at)->next)
        if (*at == l) {
            *at = l->next;
            break;
        }
    free(l->early.base);
    free(l);
}

static void cut(line *l)
{
    if (l->is_cut)
        return;
    l->is_cut = true;
    uv_close((uv_handle_t *)&l->client.tcp, on_end_closed);
    uv_close((uv_handle_t *)&l->target.tcp, on_end_closed);
}

static void on_written(uv_write_t *write, int status)
{
    write_job *job = (write_job *)write;
    (void)status;
    if (job->cut_after != NULL)
        cut(job->cut_after);
    free(job);
}

static void pass(end *to, const char *data, size_t size, line *cut_after)
{
    write_job *job = malloc(sizeof *job + size);
    job->cut_after = cut_after;
    memcpy(job->data, data, size);
    uv_buf_t buf = uv_buf_init(job->data, (unsigned)size);
    if (uv_write(&job->write, (uv_stream_t *)&to->tcp, &buf, 1, on_written) != 0)
        free(job);
}

/* How much of it may pass before the cut; all of it when there is none. */
static size_t count_messages(line *l, const uint8_t *data, size_t size)
{
    const cutter *c = l->owner;
    l->bytes += size;
    if (c->cut_bytes != 0)
        return l->bytes > c->cut_bytes ? size / 2 : size;
    for (size_t i = 0; i < size;) {
        if (l->left != 0) {
            size_t part = size - i < l->left ? size - i : l->left;
            l->left -= part;
            i += part;
        } else {
            l->head[l->head_count++] = data[i++];
            if (l->head_count < 4)
                continue;
            l->head_count = 0;
            l->left = (size_t)l->head[0] << 24 | (size_t)l->head[1] << 16 |
                      (size_t)l->head[2] << 8 | l->head[3];
            if (c->cut_every != 0 && ++l->messages > c->cut_every)
                return i; /* in the middle of a message */
        }
    }
    return size;
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    static char room[65536];
    (void)handle;
    (void)hint;
    *buf = uv_buf_init(room, sizeof room);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    end *from = stream->data;
    line *l = from->line;
    if (l->is_cut || l->is_ending)
        return;
    if (l->is_stalled) {
        if (size < 0)
            uv_read_stop(stream);
        return;
    }
    if (size < 0) {
        cut(l);
        return;
    }
    if (l->owner->is_stalled)
        return;
    if (from == &l->client && !l->is_connected) {
        l->early.base = realloc(l->early.base, l->early.len + (size_t)size);
        memcpy(l->early.base + l->early.len, buf->base, (size_t)size);
        l->early.len += (size_t)size;
        return;
    }
    size_t most = (size_t)size;
    if (from == &l->target)
        most = count_messages(l, (const uint8_t *)buf->base, most);
    if (most < (size_t)size) {
        l->is_ending = true; /* what has passed is to arrive, also what waits to be written */
        l->owner->cuts++;
    }
    pass(from->other, buf->base, most, l->is_ending ? l : NULL);
}

static void on_target(uv_connect_t *connect, int status)
{
    line *l = connect->data;
    if (l->is_cut)
        return;
    if (status != 0) {
        cut(l);
        return;
    }
    l->is_connected = true;
    if (l->early.len != 0)
        pass(&l->target, l->early.base, l->early.len, NULL);
    uv_read_start((uv_stream_t *)&l->target.tcp, on_alloc, on_read);
}

static void on_connection(uv_stream_t *listener, int status)
{
    cutter *c = listener->data;
    struct sockaddr_in address;
    line *l = calloc(1, sizeof *l);
    (void)status;
    c->connections++;
    c->open += 2;
    *l = (line){.owner = c, .next = c->first};
    c->first = l;
    l->client = (end){.line = l, .other = &l->target};
    l->target = (end){.line = l, .other = &l->client};
    uv_tcp_init(listener->loop, &l->client.tcp);
    uv_tcp_init(listener->loop, &l->target.tcp);
    l->client.tcp.data = &l->client;
    l->target.tcp.data = &l->target;
    l->connect.data = l;
    if (uv_accept(listener, (uv_stream_t *)&l->client.tcp) != 0 || c->refuses) {
        cut(l);
        return;
    }
    uv_ip4_addr("127.0.0.1", c->target, &address);
    uv_tcp_connect(&l->connect, &l->target.tcp, (const struct sockaddr *)&address, on_target);
    uv_read_start((uv_stream_t *)&l->client.tcp, on_alloc, on_read);
}

void cutter_open(cutter *c, uv_loop_t *loop, const char *target_url)
{
    struct sockaddr_in address;
    int size = sizeof address;
    *c = (cutter){.target = atoi(strrchr(target_url, ':') + 1), .open = 1};
    uv_tcp_init(loop, &c->listener);
    c->listener.data = c;
    uv_ip4_addr("127.0.0.1", 0, &address);
    assert_int_equal(uv_tcp_bind(&c->listener, (const struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&c->listener, 16, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&c->listener, (struct sockaddr *)&address, &size), 0);
    c->port = ntohs(address.sin_port);
    (void)snprintf(c->url, sizeof c->url, "tcp://127.0.0.1:%d", c->port);
}

void cutter_stall(cutter *c)
{
    for (line *l = c->first; l != NULL; l = l->next)
        l->is_stalled = true;
}

void cutter_cut(cutter *c)
{
    for (line *l = c->first; l != NULL; l = l->next)
        if (!l->is_cut) {
            c->cuts++;
            cut(l);
        }
}

static void on_listener_closed(uv_handle_t *handle)
{
    ((cutter *)handle->data)->open--;
}

void cutter_close(cutter *c)
{
    cutter_cut(c);
    uv_close((uv_handle_t *)&c->listener, on_listener_closed);
}
