/* The one page of the web server, and the verbs by which a test makes the guest misbehave:
     /   how it is        /f  become unhealthy (503)   /o  healthy again
     /x  hang             /p  power off                /r  reset            /P  panic
     /dRATE        dirty RATE kB of memory a second, all over the RAM (0 stops it)
     /dRATE,MIB    the same within MIB mebibytes
   What ends or stops the guest happens shortly after the answer is out. */
#ifndef HTTP_H
#define HTTP_H

#include "machine.h"

struct http_request {
    char line[64];   /* the first of the request, as far as it fits */
    u8 length;
    u8 line_breaks;  /* in a row: two end the request */
};

/* Take in more of a request; true when it is complete. */
int http_take(struct http_request *request, const u8 *content, u32 length);
/* Do what was asked and write the answer, at most 512 bytes; returns its length. */
u32 http_answer(const struct http_request *request, char *answer);
/* Do what was put off until the answer is out; to be called on each tick. */
void http_tick(void);

#endif
