/* The interrupt table, the two 8259 controllers and the timer. One handler serves every line: it
   counts the timer's ticks and quietens the virtio devices; all work is done in the main loop. */
#ifndef INTERRUPTS_H
#define INTERRUPTS_H

#include "machine.h"

/* 50 a second: fine enough for the log and TCP's timers, and 40 idle guests still fit on a
   machine of two cores. */
#define TICKS_PER_SECOND 50

void interrupts_start(void);

/* Ticks since the start. The timer follows the guest's own clock, which stands still while the
   guest does, so they never step back and do not count a freeze. */
u32 ticks(void);

/* Have the interrupt of the virtio device at this I/O base acknowledged. */
void interrupts_acknowledge_virtio(u16 io_base);

#endif
