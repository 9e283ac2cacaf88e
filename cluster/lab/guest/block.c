#include "block.h"

#include "virtio.h"

#define FEATURE_FLUSH (1 << 9)
#define READ 0
#define WRITE 1
#define FLUSH 4
#define NOT_ANSWERED 0xff

static struct {
    u32 kind, priority;
    u64 sector;
} request;

static struct queue queue;
static u16 io_base;
static u32 features;
static volatile u8 outcome;
static u8 buffer[SECTOR_BYTES] __attribute__((aligned(SECTOR_BYTES)));

int block_start(void)
{
    io_base = virtio_find(VIRTIO_BLOCK, FEATURE_FLUSH, &features);
    if (!io_base)
        return 0;
    virtio_queue(&queue, io_base, 0);
    virtio_ready(io_base);
    return 1;
}

u32 block_sectors(void)
{
    u32 high = read_port32(io_base + VIRTIO_CONFIG + 4);

    return high ? 0xffffffff : read_port32(io_base + VIRTIO_CONFIG); /* 2 TiB are plenty */
}

int block_has_answer(void)
{
    return queue_has_answer(&queue);
}

static int perform(u32 kind, u32 sector, void (*idle)(void))
{
    u16 last = kind == FLUSH ? 1 : 2;
    u16 direction = kind == READ ? DEVICE_WRITES : 0;

    request.kind = kind;
    request.sector = sector;
    outcome = NOT_ANSWERED;
    queue.descriptors[0] = (struct descriptor){(u32)&request, sizeof request, NEXT, 1};
    queue.descriptors[1] = (struct descriptor){(u32)buffer, SECTOR_BYTES, NEXT | direction, 2};
    queue.descriptors[last] = (struct descriptor){(u32)&outcome, 1, DEVICE_WRITES, 0};
    queue_offer(&queue, 0);
    queue_kick(&queue);
    while (queue_take(&queue, 0) < 0)
        idle();
    return outcome;
}

int block_read(u32 sector, void *content, void (*idle)(void))
{
    int failed = perform(READ, sector, idle);

    memcpy(content, buffer, SECTOR_BYTES);
    return failed;
}

int block_write(u32 sector, const void *content, void (*idle)(void))
{
    int failed;

    memcpy(buffer, content, SECTOR_BYTES);
    failed = perform(WRITE, sector, idle);
    if (!failed && features & FEATURE_FLUSH)
        failed = perform(FLUSH, 0, idle);
    return failed;
}
