/* thread.h - what a thread keeps for itself is freed when it ends.
 *
 * Every thread that calls netron keeps its last failure and a few blocks of memory. Threads of a
 * program come and go; the last thing each does is to give them back.
 */
#ifndef NT_BASE_THREAD_H
#define NT_BASE_THREAD_H

/* Have what the calling thread keeps freed when it ends. May be repeated. */
void nt_thread_watch(void);

#endif
