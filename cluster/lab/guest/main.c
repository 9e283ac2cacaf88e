/* A guest of a few kilobytes for tests of high availability. It boots in a fifth of a second, from
   a whole disk or with QEMU's -kernel, on machine type pc or q35 with 16 MiB or more, and shows
   from outside all that a move or a failover may damage: its memory (the boot id it drew, the
   connections it holds), its disk (the log), its place in the network. */
#include "block.h"
#include "console.h"
#include "disk_log.h"
#include "http.h"
#include "identity.h"
#include "interrupts.h"
#include "load.h"
#include "network.h"
#include "power.h"
#include "tcp.h"

#define LOG_EVERY 4 /* ticks: 12.5 records a second */

static int has_network, has_disk;

/* All that must go on also while the disk is waited for. */
static void work(void)
{
    static u32 last_tick;

    if (has_network)
        network_poll();
    if (ticks() == last_tick)
        return;
    last_tick = ticks();
    tcp_tick();
    http_tick();
    load_tick();
    if (power_button_pressed())
        power_off();
}

/* Work, then sleep until a device or the timer has something new. Interrupts are off between the
   look and the sleep, or one that comes in between would be slept over. */
static void idle(void)
{
    work();
    __asm__ volatile("cli");
    if (network_has_input() || block_has_answer())
        __asm__ volatile("sti");
    else
        __asm__ volatile("sti; hlt");
}

static void introduce(void)
{
    char text[20];
    const u8 *address = network_address();

    append_hex64(text, boot_id());
    print("GUEST-READY boot ");
    print(text);
    print(" boots ");
    print_number(disk_log_boots());
    print(" address ");
    for (int i = 0; i < 4; i++) {
        print_number(address[i]);
        print(i < 3 ? "." : "\n");
    }
}

void guest_main(void)
{
    u32 next_record = 0;

    interrupts_start();
    identity_draw();
    power_start();
    has_network = network_start();
    has_disk = block_start();
    __asm__ volatile("sti");
    if (has_disk)
        disk_log_open(idle);
    network_announce();
    introduce();
    for (;;) {
        idle();
        if (has_disk && (int)(ticks() - next_record) >= 0) {
            next_record = ticks() + LOG_EVERY;
            disk_log_append(idle);
        }
    }
}
