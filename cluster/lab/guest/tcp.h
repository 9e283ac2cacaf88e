/* TCP for two small servers: what arrives on port 7 goes back, what arrives on 80 is a request.

   A connection keeps all it has sent until it is acknowledged and sends it again after a while, so
   a client may pipeline, lose segments, or be frozen together with this guest. Its window is what
   is free in the buffer: more than can be echoed is never accepted. Segments out of order are
   dropped; the sender repeats them. */
#ifndef TCP_H
#define TCP_H

#include "network.h"

void tcp_segment(const struct peer *from, const u8 *segment, u32 length);
/* Send again what has waited too long; to be called on each tick. */
void tcp_tick(void);

#endif
