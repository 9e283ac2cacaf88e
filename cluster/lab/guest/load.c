#include "load.h"

#include "interrupts.h"

#define PAGE 4096
#define BEGIN 0x400000       /* behind the program, and clear of it */
#define FIRMWARE_TABLES 0x40000 /* at the top of the RAM; nothing is gained by breaking them */

static u32 pages_per_second, area, offset, owed;

void load_set(u32 rate, u32 mebibytes)
{
    u32 ram = ram_bytes();
    u32 all = ram > BEGIN + FIRMWARE_TABLES ? ram - BEGIN - FIRMWARE_TABLES : 0;

    pages_per_second = all ? rate / (PAGE / 1024) : 0;
    area = mebibytes && mebibytes < all >> 20 ? mebibytes << 20 : all;
    offset = 0;
}

void load_tick(void)
{
    /* What is less than a page a tick is saved up. */
    owed += pages_per_second;
    for (; owed >= TICKS_PER_SECOND; owed -= TICKS_PER_SECOND) {
        *(volatile u32 *)(BEGIN + offset) = (ticks() + 1) * 2654435761u ^ offset;
        offset = offset + PAGE < area ? offset + PAGE : 0;
    }
}
