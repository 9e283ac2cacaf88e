#include "pci.h"

#define ADDRESS 0xcf8
#define VALUE 0xcfc

u32 pci_read(u32 device, u8 offset)
{
    write_port32(ADDRESS, device | offset);
    return read_port32(VALUE);
}

void pci_write(u32 device, u8 offset, u32 value)
{
    write_port32(ADDRESS, device | offset);
    write_port32(VALUE, value);
}

u32 pci_find(u32 identity)
{
    /* 8 buses of 32 devices of 8 functions are more than either machine type has. */
    for (u32 function = 0; function < 8 * 32 * 8; function++) {
        u32 device = 0x80000000 | function << 8;
        if (pci_read(device, 0) == identity)
            return device;
    }
    return 0;
}
