/* random.h - unpredictable bytes, and the UUIDs made of them. */
#ifndef NT_BASE_RANDOM_H
#define NT_BASE_RANDOM_H

#include <netron/error.h>

enum { NT_UUID_SIZE = 36 };

/* Fill with bytes of the system's generator, taken in larger portions per thread. */
NETRON_MUST_CHECK netron_err nt_random(void *data, size_t size);

/* A UUIDv7 (RFC 9562 5.7) of the given time, in lower case, with a terminating zero. */
NETRON_MUST_CHECK netron_err nt_uuid(char out[NT_UUID_SIZE + 1], int64_t now_ms);

#endif
