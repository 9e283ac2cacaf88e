#include "console.h"

#define COM1 0x3f8

static void print_char(char c)
{
    while (!(read_port8(COM1 + 5) & 0x20)) /* a port that is absent reads 0xff */
        ;
    write_port8(COM1, (u8)c);
}

void print(const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            print_char('\r');
        print_char(*text);
    }
}

void print_number(u32 value)
{
    char text[12];

    append_number(text, value);
    print(text);
}

char *append_text(char *end, const char *text)
{
    while (*text)
        *end++ = *text++;
    *end = 0;
    return end;
}

char *append_number(char *end, u32 value)
{
    char digits[12];
    int count = 0;

    do
        digits[count++] = '0' + value % 10;
    while (value /= 10);
    while (count)
        *end++ = digits[--count];
    *end = 0;
    return end;
}

char *append_hex64(char *end, u64 value)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        *end++ = "0123456789abcdef"[value >> shift & 15];
    *end = 0;
    return end;
}
