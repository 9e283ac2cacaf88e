/* The first virtio disk, one sector at a time. A call returns when the device has answered; while
   it waits the caller's `idle` is run, so that a slow disk does not silence the network. */
#ifndef BLOCK_H
#define BLOCK_H

#include "machine.h"

#define SECTOR_BYTES 512

int block_start(void); /* true if there is a disk */
u32 block_sectors(void);
int block_has_answer(void);

/* 0 when the device did it. */
int block_read(u32 sector, void *content, void (*idle)(void));
/* Durable on return: written, then flushed. */
int block_write(u32 sector, const void *content, void (*idle)(void));

#endif
