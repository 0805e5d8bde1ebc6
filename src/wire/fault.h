/* fault.h - failures on the wire: TitanError (ext 110) out, any value in (PROTOCOL.md §4, §10). */
#ifndef NT_WIRE_FAULT_H
#define NT_WIRE_FAULT_H

#include "wire/msgpack.h"

/* Write the last failure of the running fiber as an error payload. */
void nt_fault_write(nt_writer *writer, netron_err code, int64_t now_ms);

/* The same to who understands it: its context says when the call has not been executed, or that nobody
 * knows, and at which other node it arose. */
void nt_fault_write_executed(nt_writer *writer, netron_err code, int64_t now_ms,
    netron_executed executed);

/* Read an error payload, make it the last failure, and return its code. Never NETRON_OK.
 * `executed` and `hop` are what its context says, else yes and "". */
netron_err nt_fault_read(nt_slice payload);

/* Fail with the reader's mistake: what of ("the result of add"), where, expected and found. */
netron_err nt_fault_of_reader(const nt_reader *reader, netron_err code, const char *what);

#endif
