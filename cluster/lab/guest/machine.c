/* Memory functions the compiler expects, and the size of the RAM. */
#include "machine.h"

void *memcpy(void *target, const void *source, size_t length)
{
    void *result = target;
    __asm__ volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(length)::"memory");
    return result;
}

void *memmove(void *target, const void *source, size_t length)
{
    u8 *to = target;
    const u8 *from = source;

    if (to <= from || to >= from + length)
        return memcpy(target, source, length);
    while (length--)
        to[length] = from[length];
    return target;
}

void *memset(void *target, int value, size_t length)
{
    void *result = target;
    __asm__ volatile("rep stosb" : "+D"(target), "+c"(length) : "a"(value) : "memory");
    return result;
}

static u32 read_cmos16(u8 index)
{
    u32 low, high;

    write_port8(0x70, index);
    low = read_port8(0x71);
    write_port8(0x70, index + 1);
    high = read_port8(0x71);
    return high << 8 | low;
}

u32 ram_bytes(void)
{
    u32 above_16m = read_cmos16(0x34) * 0x10000; /* in units of 64 KiB */
    u32 above_1m = read_cmos16(0x30) * 1024;     /* in KiB, at most 64 MiB */

    return above_16m ? 0x1000000 + above_16m : 0x100000 + above_1m;
}

void hang(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}
