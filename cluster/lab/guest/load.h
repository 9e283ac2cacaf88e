/* Dirtying memory at a given pace, so that a migration has something to send. */
#ifndef LOAD_H
#define LOAD_H

#include "machine.h"

/* One word of each page, `rate` kB of pages a second, round and round in `mebibytes` of memory; 0
   or more than there is means all of it. */
void load_set(u32 rate, u32 mebibytes);
void load_tick(void);

#endif
