/* The configuration space of PCI, as far as this guest needs it. */
#ifndef PCI_H
#define PCI_H

#include "machine.h"

#define PCI_COMMAND 0x04
#define PCI_BASE_ADDRESS 0x10

/* The first device with this identity (device id << 16 | vendor id), or 0. */
u32 pci_find(u32 identity);
u32 pci_read(u32 device, u8 offset);
void pci_write(u32 device, u8 offset, u32 value);

#endif
