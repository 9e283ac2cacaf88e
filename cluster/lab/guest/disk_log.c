#include "disk_log.h"

#include "block.h"
#include "console.h"
#include "identity.h"
#include "interrupts.h"

struct record {
    char magic[8];
    u64 boot_id;
    u64 position; /* counts on over every round; its slot is position % slots */
    u32 counter, previous_counter;
    u64 ticks;
    u32 boots;
    u32 nonce, previous_nonce;
    u32 crc; /* of all before it, as zlib's crc32 */
} __attribute__((packed));

static const char MAGIC[8] = "VMSGLOG1";

static union {
    struct record record;
    u8 bytes[SECTOR_BYTES];
} found, next;

/* 32 bits of position last eleven years at this pace. */
static u32 slots, boots, position, counter, last_nonce, write_errors;

u32 disk_log_counter(void)
{
    return counter;
}

u32 disk_log_boots(void)
{
    return boots;
}

u32 disk_log_write_errors(void)
{
    return write_errors;
}

static u32 crc32(const void *content, u32 length)
{
    const u8 *byte = content;
    u32 crc = 0xffffffff;

    while (length--) {
        crc ^= *byte++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* Read a slot into `found`; true if a whole record is there. */
static int read_slot(u32 slot, void (*idle)(void))
{
    if (block_read(LOG_START + slot, found.bytes, idle))
        return 0;
    for (int i = 0; i < 8; i++)
        if (found.record.magic[i] != MAGIC[i])
            return 0;
    return found.record.crc == crc32(&found.record, offsetof(struct record, crc));
}

/* Slot 0 begins the newest round; that round ends before the first slot that does not follow on.
   Bisection finds it in about 17 reads, whatever the disk's size. */
void disk_log_open(void (*idle)(void))
{
    u32 newest = 0, beyond, first;

    slots = beyond = block_sectors() - LOG_START;
    boots = 1;
    if (!read_slot(0, idle))
        return;
    first = (u32)found.record.position;
    while (beyond - newest > 1) {
        u32 middle = newest + (beyond - newest) / 2;
        if (read_slot(middle, idle) && found.record.position == first + middle)
            newest = middle;
        else
            beyond = middle;
    }
    read_slot(newest, idle);
    boots = found.record.boots + 1;
    position = first + newest + 1;
}

/* Another writer's records of this round lie where ours would go: go on behind them. */
static void skip_what_is_taken(void (*idle)(void))
{
    while (read_slot(position % slots, idle) && found.record.position >= position)
        position = (u32)found.record.position + 1;
}

void disk_log_append(void (*idle)(void))
{
    struct record *record = &next.record;

    skip_what_is_taken(idle);
    memset(next.bytes, 0, SECTOR_BYTES);
    memcpy(record->magic, MAGIC, sizeof MAGIC);
    record->boot_id = boot_id();
    record->position = position;
    record->counter = counter + 1;
    record->previous_counter = counter;
    record->ticks = ticks();
    record->boots = boots;
    record->nonce = draw_number();
    record->previous_nonce = last_nonce;
    record->crc = crc32(record, offsetof(struct record, crc));
    if (block_write(LOG_START + position % slots, next.bytes, idle)) {
        write_errors++;
        print("GUEST-WRITE-ERROR\n");
        return;
    }
    counter++;
    position++;
    last_nonce = record->nonce;
}
