/* The registers of ACPI's fixed hardware (ACPI 6.4, section 4.8.3), found through the chipset: the
   firmware has placed them, at 0x600 on today's QEMU. No table is read. */
#include "power.h"

#include "pci.h"

#define PIIX4_POWER 0x71138086 /* machine type pc */
#define ICH9_LPC 0x29188086    /* machine type q35 */
#define PM_BASE_REGISTER 0x40  /* in both */

#define STATUS 0
#define ENABLE 2
#define CONTROL 4
#define POWER_BUTTON (1 << 8)
#define SLEEP_NOW (1 << 13) /* with sleep type 0: soft off, as QEMU's own tables say */

#define PVPANIC_PORT 0x505
#define PVPANIC_PANICKED 1

static u16 pm_base;

void power_start(void)
{
    u32 chipset = pci_find(ICH9_LPC);

    if (!chipset)
        chipset = pci_find(PIIX4_POWER);
    if (!chipset)
        return;
    pm_base = pci_read(chipset, PM_BASE_REGISTER) & 0xff80;
    write_port16(pm_base + STATUS, POWER_BUTTON);
    write_port16(pm_base + ENABLE, read_port16(pm_base + ENABLE) | POWER_BUTTON);
}

int power_button_pressed(void)
{
    if (!pm_base || !(read_port16(pm_base + STATUS) & POWER_BUTTON))
        return 0;
    write_port16(pm_base + STATUS, POWER_BUTTON); /* writing the bit clears it */
    return 1;
}

void power_off(void)
{
    if (pm_base)
        write_port16(pm_base + CONTROL, SLEEP_NOW);
}

void power_reset(void)
{
    write_port8(0x64, 0xfe); /* the keyboard controller pulls the reset line */
}

void report_panic(void)
{
    write_port8(PVPANIC_PORT, PVPANIC_PANICKED);
}
