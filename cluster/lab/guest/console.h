/* Words on the first serial port, and the making of decimal and hexadecimal text. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "machine.h"

void print(const char *text);
void print_number(u32 value);

/* Each appends at `end`, closes the text with a zero and returns its new end. */
char *append_text(char *end, const char *text);
char *append_number(char *end, u32 value);
char *append_hex64(char *end, u64 value);

#endif
