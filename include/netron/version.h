/* netron/version.h - which release this is, at compile time and at run time. */
#ifndef NETRON_VERSION_H
#define NETRON_VERSION_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/error.h>

/* The release these headers belong to, as three numbers and as text (semver.org). */
#define NETRON_VERSION_MAJOR  0
#define NETRON_VERSION_MINOR  1
#define NETRON_VERSION_PATCH  0
#define NETRON_VERSION_STRING "0.1.0"

/* Raised whenever a program built against older headers must be compiled again. A service loaded
 * from a shared object (NETRON_MAIN) carries this number and is refused when it differs. */
#define NETRON_ABI_VERSION 3

#ifdef __cplusplus
extern "C" {
#endif

/* The release of the library in use, e.g. "0.1.0". Static storage. Any thread. */
NETRON_API const char *netron_version(void);

#ifdef __cplusplus
}
#endif

#endif
