/* error.h - the last failure of the running fiber or thread, and how to set it. */
#ifndef NT_BASE_ERROR_H
#define NT_BASE_ERROR_H

#include <netron/error.h>
#include <netron/value.h>

/* Remember a failure and return its code: `return nt_fail(NETRON_INVALID, "…", …);` The text says
 * what to do. */
netron_err nt_fail(netron_err code, const char *format, ...) NETRON_PRINTF(2, 3);
netron_err nt_fail_v(netron_err code, const char *format, va_list args) NETRON_PRINTF(2, 0);

/* The same, with the failure before as the cause. Of a chain of causes as long as NT_CAUSES_MAX nothing is
 * kept: it came round in a circle. */
netron_err nt_fail_because_v(netron_err code, const char *format, va_list args) NETRON_PRINTF(2, 0);

enum { NT_CAUSES_MAX = 8 };

/* NETRON_NO_MEMORY, without needing any. */
netron_err nt_no_memory(void);

/* The record to fill in further (details, hop, executed) after nt_fail(). Never NULL. */
netron_error *nt_error_last(void);

/* Nothing has been sent or run that could have acted: the last failure says so. Returns `err`. */
static inline netron_err nt_not_executed(netron_err err)
{
    if (err != NETRON_OK)
        nt_error_last()->executed = NETRON_EXECUTED_NO;
    return err;
}

/* Memory for what the last error points to (details, cause); emptied by the next nt_fail(). */
netron_scope *nt_error_scope(void);

/* The value that the last failure came as from a peer: lives in nt_error_scope(), or NULL. */
const netron_value *nt_error_origin(void);
void nt_error_set_origin(const netron_value *origin);

/* What goes to the caller instead of a TitanError: lives in nt_error_scope(), or NULL. */
const netron_value *nt_error_payload(void);
void nt_error_set_payload(const netron_value *payload);

/* Text for the details of a failure: what is valid UTF-8 of its first 1024 bytes, in
 * nt_error_scope(). NULL when memory is out. */
const char *nt_error_quote(netron_str text);

/* Free what the calling thread itself keeps of its last failure. */
void nt_error_thread_fini(void);

/* Forget the last failure. */
void nt_error_clear(void);

/* Where one fiber keeps its last failure. Zeroed is "none yet". */
typedef struct nt_error_slot {
    netron_error error;
    const netron_value *origin;  /* the value that a peer's failure came as; or NULL */
    const netron_value *payload; /* what goes to the caller instead of a TitanError; or NULL */
    netron_scope scope;
} nt_error_slot;

/* NULL: the thread's own. Static TLS, because it is written at every switch. */
extern _Thread_local nt_error_slot *nt_error_current __attribute__((tls_model("initial-exec")));

/* Make `slot` the current one of this thread (NULL: the thread's own) and return the one that was.
 * Called by the fiber switch. */
static inline nt_error_slot *nt_error_use(nt_error_slot *slot)
{
    nt_error_slot *before = nt_error_current;
    nt_error_current = slot;
    return before;
}
/* Make what `from` holds the last failure here; `from` is empty afterwards. */
void nt_error_adopt(nt_error_slot *from, netron_err code);
void nt_error_slot_fini(nt_error_slot *slot);

#endif
