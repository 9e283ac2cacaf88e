/* The ACPI power button, and the ways a machine ends: off, reset, panic. */
#ifndef POWER_H
#define POWER_H

#include "machine.h"

void power_start(void);
int power_button_pressed(void);
void power_off(void);
void power_reset(void);
void report_panic(void);

#endif
