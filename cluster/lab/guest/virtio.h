/* Virtio in its legacy form over I/O ports (virtio 1.0, section 4.1.4.8): finding a device and
   running its queues. One queue has one owner; nothing here waits. */
#ifndef VIRTIO_H
#define VIRTIO_H

#include "machine.h"

#define VIRTIO_INTERRUPT_STATUS 19
#define VIRTIO_CONFIG 20 /* the device's own registers, where MSI-X is off */

#define VIRTIO_NETWORK 0x10001af4
#define VIRTIO_BLOCK 0x10011af4

#define NEXT 1     /* the descriptor goes on at `next` */
#define DEVICE_WRITES 2

struct descriptor {
    u64 address;
    u32 length;
    u16 flags, next;
};

struct queue {
    u16 io_base, number, size, offered, taken;
    struct descriptor *descriptors;
    volatile u16 *available; /* flags, index, ring */
    volatile u8 *used;       /* flags, index, ring of (id, length) */
};

/* Find a device, reset it and agree on those of `wanted` features it has. Returns its I/O base, or
   0 if there is none. */
u16 virtio_find(u32 identity, u32 wanted, u32 *agreed);
void virtio_queue(struct queue *queue, u16 io_base, u16 number);
void virtio_ready(u16 io_base);

void queue_offer(struct queue *queue, u16 head);
void queue_kick(struct queue *queue);
int queue_has_answer(const struct queue *queue);
/* The head of a finished chain, or -1; `length` (may be null) is what the device wrote. */
int queue_take(struct queue *queue, u32 *length);

#endif
