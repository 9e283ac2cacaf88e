/* The bare machine: fixed-size types, I/O ports, memory, byte order. Header only. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

static inline void write_port8(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline void write_port16(u16 port, u16 value)
{
    __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}

static inline void write_port32(u16 port, u32 value)
{
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

static inline u8 read_port8(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline u16 read_port16(u16 port)
{
    u16 value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline u32 read_port32(u16 port)
{
    u32 value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline u64 read_time_stamp(void)
{
    u64 value;
    __asm__ volatile("rdtsc" : "=A"(value));
    return value;
}

/* What the device must see before what follows. */
static inline void memory_barrier(void)
{
    __asm__ volatile("lock; addl $0, (%%esp)" ::: "memory", "cc");
}

static inline u16 swap16(u16 value)
{
    return (u16)(value >> 8 | value << 8);
}

static inline u32 swap32(u32 value)
{
    return __builtin_bswap32(value);
}

/* The compiler may call these by itself; they are in machine.c. */
void *memcpy(void *target, const void *source, size_t length);
void *memmove(void *target, const void *source, size_t length);
void *memset(void *target, int value, size_t length);

/* RAM in bytes, as the firmware left it in the CMOS. */
u32 ram_bytes(void);

/* Stop for good, deaf to everything: what a hung guest looks like. */
void hang(void) __attribute__((noreturn));

#endif
