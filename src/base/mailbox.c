/* mailbox.c - see mailbox.h. */
#include "base/mailbox.h"

nt_mail nt_mailbox_closed;

nt_delivery nt_mailbox_put(nt_mailbox *box, nt_mail *mail)
{
    nt_mail *newest = atomic_load_explicit(&box->newest, memory_order_relaxed);
    do {
        if (newest == &nt_mailbox_closed)
            return NT_REFUSED;
        mail->next = newest;
        /* Release: the receiver sees what the sender wrote into the mail. */
    } while (!atomic_compare_exchange_weak_explicit(
        &box->newest, &newest, mail, memory_order_release, memory_order_relaxed));
    return newest == NULL ? NT_DELIVERED_FIRST : NT_DELIVERED;
}

static nt_mail *in_order(nt_mail *newest)
{
    nt_mail *oldest = NULL;
    while (newest != NULL) {
        nt_mail *before = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = before;
    }
    return oldest;
}

nt_mail *nt_mailbox_take(nt_mailbox *box)
{
    nt_mail *newest = atomic_load_explicit(&box->newest, memory_order_relaxed);
    if (newest == NULL || newest == &nt_mailbox_closed)
        return NULL;
    return in_order(atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire));
}

nt_mail *nt_mailbox_close(nt_mailbox *box)
{
    nt_mail *newest =
        atomic_exchange_explicit(&box->newest, &nt_mailbox_closed, memory_order_acquire);
    return newest != &nt_mailbox_closed ? in_order(newest) : NULL;
}

void nt_mailbox_open(nt_mailbox *box)
{
    nt_mail *closed = &nt_mailbox_closed;
    (void)atomic_compare_exchange_strong(&box->newest, &closed, NULL);
}
