/* e07/feed.h - a stream of records. */
#ifndef FEED_H
#define FEED_H

#include <netron/netron.h>

NETRON_STRUCT (data_chunk, (u32, index), (bytes, payload));
NETRON_SERVICE(feed, "feed@1.0.0", stream_data, left);
NETRON_STREAM (feed, stream_data, data_chunk, (u32, count));
NETRON_PROP_RO(feed, left, u32);
NETRON_WIRE_NAME(feed, stream_data, "streamData");
NETRON_DOC    (feed, left, "How many readers left before the end.");

#endif
