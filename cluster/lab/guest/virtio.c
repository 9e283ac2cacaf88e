#include "virtio.h"

#include "console.h"
#include "interrupts.h"
#include "pci.h"

#define DEVICE_FEATURES 0
#define DRIVER_FEATURES 4
#define QUEUE_PAGE 8
#define QUEUE_SIZE 12
#define QUEUE_SELECT 14
#define QUEUE_NOTIFY 16
#define STATUS 18

#define ACKNOWLEDGED 1
#define HAS_DRIVER 2
#define DRIVER_OK 4

#define PAGE 4096
#define LARGEST_QUEUE 1024 /* what QEMU 10 gives, whatever it is asked for; before, 256 */
#define QUEUE_BYTES (8 * PAGE) /* 16 bytes a descriptor, 2 available, 8 used, each from a page on */
#define QUEUES 3               /* network in, network out, disk */

static u8 queue_memory[QUEUES][QUEUE_BYTES] __attribute__((aligned(PAGE)));
static int queues_given;

u16 virtio_find(u32 identity, u32 wanted, u32 *agreed)
{
    u32 device = pci_find(identity);
    u16 io_base;

    if (!device || !(pci_read(device, PCI_BASE_ADDRESS) & 1))
        return 0;
    pci_write(device, PCI_COMMAND, pci_read(device, PCI_COMMAND) | 7); /* ports, memory, master */
    io_base = pci_read(device, PCI_BASE_ADDRESS) & 0xfffc;
    write_port8(io_base + STATUS, 0);
    write_port8(io_base + STATUS, ACKNOWLEDGED);
    write_port8(io_base + STATUS, ACKNOWLEDGED | HAS_DRIVER);
    *agreed = read_port32(io_base + DEVICE_FEATURES) & wanted;
    write_port32(io_base + DRIVER_FEATURES, *agreed);
    interrupts_acknowledge_virtio(io_base);
    return io_base;
}

void virtio_queue(struct queue *queue, u16 io_base, u16 number)
{
    u8 *memory = queue_memory[queues_given++];
    u32 until_available_ends;

    write_port16(io_base + QUEUE_SELECT, number);
    queue->io_base = io_base;
    queue->number = number;
    queue->size = read_port16(io_base + QUEUE_SIZE);
    if (queue->size > LARGEST_QUEUE) {
        print("GUEST-FAULT queue too large\n");
        hang();
    }
    queue->offered = queue->taken = 0;
    queue->descriptors = (void *)memory;
    queue->available = (void *)(memory + 16 * queue->size);
    until_available_ends = 16 * queue->size + 6 + 2 * queue->size;
    queue->used = memory + (until_available_ends + PAGE - 1) / PAGE * PAGE;
    write_port32(io_base + QUEUE_PAGE, (u32)memory / PAGE);
}

void virtio_ready(u16 io_base)
{
    write_port8(io_base + STATUS, ACKNOWLEDGED | HAS_DRIVER | DRIVER_OK);
}

void queue_offer(struct queue *queue, u16 head)
{
    queue->available[2 + queue->offered % queue->size] = head;
    memory_barrier();
    queue->available[1] = ++queue->offered;
    memory_barrier();
}

void queue_kick(struct queue *queue)
{
    write_port16(queue->io_base + QUEUE_NOTIFY, queue->number);
}

int queue_has_answer(const struct queue *queue)
{
    if (!queue->io_base)
        return 0;
    memory_barrier();
    return *(volatile u16 *)(queue->used + 2) != queue->taken;
}

int queue_take(struct queue *queue, u32 *length)
{
    volatile u32 *element;

    if (!queue_has_answer(queue))
        return -1;
    element = (volatile void *)(queue->used + 4 + 8 * (queue->taken % queue->size));
    queue->taken++;
    if (length)
        *length = element[1];
    return (int)element[0];
}
