/* There is no hardware source to rely on under emulation. What differs between two starts is time:
   the date, and how long each of many port accesses took, which the host's scheduling decides. */
#include "identity.h"

#include "interrupts.h"

#define SAMPLES 256

static u64 pool;
static u64 drawn_boot_id;

/* The finalizer of splitmix64: every bit of the input moves half the bits of the output. */
static u64 mixed(u64 value)
{
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
    value = (value ^ value >> 27) * 0x94d049bb133111ebull;
    return value ^ value >> 31;
}

static void stir(u64 sample)
{
    pool = mixed(pool + 0x9e3779b97f4a7c15ull + sample);
}

static u8 read_clock(u8 index)
{
    write_port8(0x70, index);
    return read_port8(0x71);
}

void identity_draw(void)
{
    for (u8 index = 0; index < 10; index++) /* seconds to years */
        stir(read_clock(index));
    for (int i = 0; i < SAMPLES; i++) {
        write_port8(0x43, 0); /* hold the timer's counter for reading */
        stir(read_port8(0x40) | (u64)read_port8(0x40) << 8);
        stir(read_time_stamp());
    }
    drawn_boot_id = pool;
}

u64 boot_id(void)
{
    return drawn_boot_id;
}

u32 draw_number(void)
{
    stir(read_time_stamp() + ticks());
    return (u32)pool;
}
