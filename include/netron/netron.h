/* netron/netron.h - everything a program needs: include this one. */
#ifndef NETRON_NETRON_H
#define NETRON_NETRON_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/abi.h>
#include <netron/aggregate.h>
#include <netron/dynamic.h>
#include <netron/error.h>
#include <netron/event.h>
#include <netron/fiber.h>
#include <netron/file.h>
#include <netron/middleware.h>
#include <netron/node.h>
#include <netron/peer.h>
#include <netron/service.h>
#include <netron/stream.h>
#include <netron/value.h>
#include <netron/version.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#endif
