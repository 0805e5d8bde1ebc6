/* counter.h - figures that one thread changes and any thread may read.
 *
 * Relaxed stores and loads of a word cost what plain ones do; there is no locked instruction.
 */
#ifndef NT_BASE_COUNTER_H
#define NT_BASE_COUNTER_H

#define NT_COUNT_UP(counter, by)   __atomic_store_n(&(counter), (counter) + (by), __ATOMIC_RELAXED)
#define NT_COUNT_DOWN(counter, by) __atomic_store_n(&(counter), (counter) - (by), __ATOMIC_RELAXED)
#define NT_COUNT_SET(counter, to)  __atomic_store_n(&(counter), (to), __ATOMIC_RELAXED)
#define NT_COUNT_READ(counter)     __atomic_load_n(&(counter), __ATOMIC_RELAXED)

#endif
