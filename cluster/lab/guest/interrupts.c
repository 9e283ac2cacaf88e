#include "interrupts.h"

#include "console.h"
#include "virtio.h"

#define MASTER 0x20
#define SLAVE 0xa0
#define END_OF_INTERRUPT 0x20
#define FIRST_VECTOR 32
#define INTERRUPT_GATE 0x8e
#define CODE_SEGMENT 8
#define TIMER_HZ 1193182

struct gate {
    u16 low, segment;
    u8 zero, kind;
    u16 high;
} __attribute__((packed));

extern char interrupt_entry[], fault_entry[]; /* start.S */

static struct gate gates[256];
static volatile u32 tick_count;
static u16 virtio_io_bases[4];
static int virtio_count;

u32 ticks(void)
{
    return tick_count;
}

void interrupts_acknowledge_virtio(u16 io_base)
{
    if (virtio_count < 4)
        virtio_io_bases[virtio_count++] = io_base;
}

void on_interrupt(void)
{
    write_port8(MASTER, 0x0b); /* ask which lines are in service */
    if (read_port8(MASTER) & 1)
        tick_count++;
    for (int i = 0; i < virtio_count; i++)
        read_port8(virtio_io_bases[i] + VIRTIO_INTERRUPT_STATUS); /* reading lowers the line */
    write_port8(SLAVE, END_OF_INTERRUPT);
    write_port8(MASTER, END_OF_INTERRUPT);
}

void on_fault(void)
{
    print("GUEST-FAULT\n");
}

static void controllers_start(void)
{
    static const u8 master[] = {FIRST_VECTOR, 4, 1}, slave[] = {FIRST_VECTOR + 8, 2, 1};

    write_port8(MASTER, 0x11);
    write_port8(SLAVE, 0x11);
    for (int i = 0; i < 3; i++) {
        write_port8(MASTER + 1, master[i]);
        write_port8(SLAVE + 1, slave[i]);
    }
    /* Open: timer (0), slave (2), and the lines firmware gives to PCI: 5, 7, 10, 11. Not 9: the
       power button is asked about on each tick, and an unanswered line 9 would storm. */
    write_port8(MASTER + 1, 0xff & ~(1 << 0 | 1 << 2 | 1 << 5 | 1 << 7));
    write_port8(SLAVE + 1, 0xff & ~(1 << 2 | 1 << 3));
}

static void timer_start(void)
{
    u16 divisor = TIMER_HZ / TICKS_PER_SECOND;

    write_port8(0x43, 0x34); /* channel 0, both bytes, rate generator */
    write_port8(0x40, divisor & 0xff);
    write_port8(0x40, divisor >> 8);
}

void interrupts_start(void)
{
    struct {
        u16 limit;
        u32 base;
    } __attribute__((packed)) table = {sizeof gates - 1, (u32)gates};

    for (int i = 0; i < 256; i++) {
        u32 entry = (u32)(i < FIRST_VECTOR ? fault_entry : interrupt_entry);
        gates[i] = (struct gate){(u16)entry, CODE_SEGMENT, 0, INTERRUPT_GATE, entry >> 16};
    }
    __asm__ volatile("lidt %0" ::"m"(table));
    controllers_start();
    timer_start();
}
