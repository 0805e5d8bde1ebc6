/* faulty_memory.c - memory:// with delays, and cut into pieces, in virtual time, for a program that
 * knows nothing of it: every suite that uses memory:// can be linked with this, and must pass.
 *
 * NETRON_FAULT_SEED=N in the environment chooses what happens; NETRON_FAULT_TRACE=1 prints it.
 */
#include "support/fault_transport.h"
#include "support/virtual_time.h"

#include <stdlib.h>

extern const netron_transport_ops __real_nt_memory_ops;

/* What the linker gives whoever asks for nt_memory_ops: its first member is such a table. */
extern fault_scheme __wrap_nt_memory_ops;
fault_scheme __wrap_nt_memory_ops;

static fault_net net;

__attribute__((constructor)) static void begin(void)
{
    const char *seed = getenv("NETRON_FAULT_SEED");
    uint64_t number = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    fault_net_init(&net, number, FAULTS_BENIGN);
    net.delay_most_ms = 3; /* suites have time-outs of 50 ms */
    if (getenv("NETRON_FAULT_TRACE") != NULL)
        net.trace = stderr;
    __wrap_nt_memory_ops = (fault_scheme){.ops = fault_transport_ops(NETRON_FRAMING_LENGTH),
        .inner = &__real_nt_memory_ops,
        .net = &net};
    virtual_time_start(number);
}
