/* A log of heartbeats on the disk that a checker can hold against this guest: what was lost, what
   was written twice, and whether two copies wrote at once (cluster/lab/disk_log.py reads it).

   One record a sector, from LOG_START to the end of the disk and then round again. A record is
   written and flushed before the next is begun. No record is ever written over another of the same
   round: a guest that finds its place taken goes on behind it, so a second writer stays visible.
   Each record carries the number drawn for the one before it; where two copies have written over
   one another in the same instant, that chain is broken. */
#ifndef DISK_LOG_H
#define DISK_LOG_H

#include "machine.h"

#define LOG_START 256 /* sectors; the guest's own program lies before */

/* Find the end of the log that is there; earlier lives are kept. */
void disk_log_open(void (*idle)(void));
void disk_log_append(void (*idle)(void));

u32 disk_log_counter(void); /* the last record of this life that is durable */
u32 disk_log_boots(void);   /* lives seen on this disk, this one included */
u32 disk_log_write_errors(void);

#endif
