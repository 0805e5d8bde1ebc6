/* mailbox.h - work handed from any thread to one, without a lock.
 *
 * Senders push onto a stack by one exchange; the receiver takes all there is by one exchange and
 * turns it round, so mail of one sender arrives in the order it was sent. A sender is told when it
 * was the first since the receiver looked: only then does the receiver need to be woken.
 *
 * Invariant: a mail is in at most one mailbox, and belongs to the receiver from nt_mailbox_put() on.
 */
#ifndef NT_BASE_MAILBOX_H
#define NT_BASE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct nt_mail {
    struct nt_mail *next;
    /* What to do on the receiver's thread. `cancelled`: the mailbox was closed instead. */
    void (*fn)(struct nt_mail *mail, bool cancelled);
} nt_mail;

/* Zeroed: open and empty. */
typedef struct nt_mailbox {
    _Atomic(nt_mail *) newest;
} nt_mailbox;

/* What `newest` is of a mailbox that takes no mail. */
extern nt_mail nt_mailbox_closed;

typedef enum nt_delivery {
    NT_DELIVERED, /* others wait there already: the receiver knows */
    NT_DELIVERED_FIRST,
    NT_REFUSED /* closed: the mail is the sender's still */
} nt_delivery;

/* Any thread. */
nt_delivery nt_mailbox_put(nt_mailbox *box, nt_mail *mail);
/* All that was delivered, in order. Only the receiver. */
nt_mail *nt_mailbox_take(nt_mailbox *box);
/* Take no more; what was delivered is returned. Only the receiver. */
nt_mail *nt_mailbox_close(nt_mailbox *box);
/* Take mail again, after a close. Only the receiver. */
void nt_mailbox_open(nt_mailbox *box);

#endif
