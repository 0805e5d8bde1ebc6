/* dispatch.h - requests to members and tasks. */
#ifndef NT_SERVICE_DISPATCH_H
#define NT_SERVICE_DISPATCH_H

#include "service/stub.h"

/* nt_session_config.serve: every GET, SET, CALL and TASK of a node. */
netron_err nt_dispatch(nt_request *request, nt_reader *args);

/* nt_session_config.on_wait */
void nt_dispatch_on_wait(nt_request *request);

/* What follows once the member is known: `args` stands at the first argument. */
netron_err nt_serve_member(nt_request *request, const nt_bound *bound, nt_reader *args);

/* The same inside the middlewares that are for the service (middleware.c). */
netron_err nt_serve_wrapped(nt_request *request, const nt_bound *bound, nt_reader *args);

/* A TASK; the name is the first of args. */
netron_err nt_task_serve(nt_request *request, nt_reader *args);

/* 404 in the words of PROTOCOL.md: "<resource> with id <id> not found". */
netron_err nt_not_found(const char *resource, netron_str id);

/* All arguments as values in the reader's memory; errors are the reader's. */
NETRON_MUST_CHECK netron_err nt_read_arguments(nt_reader *args, size_t count,
    netron_value **out);

bool nt_is_uuid(netron_str text);

#endif
