/* Who this life of the guest is: a random number drawn at the start and never stored. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "machine.h"

void identity_draw(void);
u64 boot_id(void);
/* A fresh number; differs between two copies of the same memory that run on. */
u32 draw_number(void);

#endif
