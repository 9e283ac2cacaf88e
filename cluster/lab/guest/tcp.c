#include "tcp.h"

#include "http.h"
#include "identity.h"
#include "interrupts.h"

#define CONNECTIONS 32
#define BUFFER_BYTES 4096
#define SEGMENT_BYTES 1024 /* below every link's limit, also inside tunnels */
#define REPEAT_AFTER (TICKS_PER_SECOND / 5u)
#define SLOWEST_REPEAT 3 /* doublings: 1.6 s, so that a thawed guest is not long silent */

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10

enum state { FREE, SYN_RECEIVED, OPEN };

struct connection {
    enum state state;
    struct peer peer;
    u16 peer_port, own_port;
    u32 acknowledged; /* the sequence number of buffer[0] */
    u32 sent;         /* the next sequence number to send; steps back to repeat */
    u32 highest;      /* the furthest ever sent */
    u32 received;     /* the next sequence number expected */
    u32 peer_window;
    u32 length;       /* bytes in the buffer: unacknowledged, then unsent */
    u32 sent_at, heard_at, repeats;
    u8 peer_closed;   /* its FIN has been taken */
    u8 closing;       /* ours follows the buffer */
    u8 closed;        /* ours has been acknowledged */
    struct http_request request;
    u8 buffer[BUFFER_BYTES];
};

static struct connection connections[CONNECTIONS];

static void send_segment(
    const struct connection *c, u8 flags, u32 sequence, const u8 *content, u32 length)
{
    u8 *segment = packet_payload();
    u32 header = flags & SYN ? 24 : 20;

    if (!segment)
        return;
    memset(segment, 0, header);
    put16(segment, c->own_port);
    put16(segment + 2, c->peer_port);
    put32(segment + 4, sequence);
    put32(segment + 8, flags & ACK ? c->received : 0);
    segment[12] = header << 2;
    segment[13] = flags;
    put16(segment + 14, BUFFER_BYTES - c->length);
    if (flags & SYN) {
        put16(segment + 20, 2 << 8 | 4); /* option: largest segment, four bytes */
        put16(segment + 22, SEGMENT_BYTES);
    }
    memcpy(segment + header, content, length);
    length += header;
    put16(segment + 16,
          checksum(segment, length, pseudo_header_sum(c->peer.address, PROTOCOL_TCP, length)));
    packet_send(&c->peer, PROTOCOL_TCP, length);
}

static void send_acknowledgement(const struct connection *c)
{
    send_segment(c, ACK, c->sent, 0, 0);
}

/* Send what may be sent; returns how many segments went out. */
static int send_pending(struct connection *c)
{
    int segments = 0;

    while (c->state == OPEN && !c->closed) {
        u32 offset = c->sent - c->acknowledged, length = c->length - offset;
        u8 flags = ACK;

        if (offset > c->length)
            break; /* the FIN is out as well */
        if (length > SEGMENT_BYTES)
            length = SEGMENT_BYTES;
        if (offset + length > c->peer_window)
            length = c->peer_window > offset ? c->peer_window - offset : 0;
        if (length)
            flags |= PSH;
        if (c->closing && offset + length == c->length)
            flags |= FIN;
        if (flags == ACK)
            break;
        send_segment(c, flags, c->sent, c->buffer + offset, length);
        c->sent += length + (flags & FIN ? 1 : 0);
        c->sent_at = ticks();
        if ((int)(c->sent - c->highest) > 0)
            c->highest = c->sent;
        segments++;
    }
    return segments;
}

static struct connection *find(const struct peer *from, u16 peer_port, u16 own_port)
{
    for (struct connection *c = connections; c < connections + CONNECTIONS; c++)
        if (c->state != FREE && c->peer.address == from->address && c->peer_port == peer_port &&
            c->own_port == own_port)
            return c;
    return 0;
}

/* A free connection, or the one that has been silent longest. */
static struct connection *claim(void)
{
    struct connection *oldest = connections;

    for (struct connection *c = connections; c < connections + CONNECTIONS; c++) {
        if (c->state == FREE)
            return c;
        if ((int)(c->heard_at - oldest->heard_at) < 0)
            oldest = c;
    }
    return oldest;
}

static void refuse(const struct peer *from, const u8 *segment, u32 length)
{
    struct connection stranger;
    u8 flags = segment[13];

    stranger.peer = *from;
    stranger.peer_port = get16(segment);
    stranger.own_port = get16(segment + 2);
    stranger.received = get32(segment + 4) + length + (flags & (SYN | FIN) ? 1 : 0);
    stranger.length = BUFFER_BYTES;
    if (flags & ACK)
        send_segment(&stranger, RST, get32(segment + 8), 0, 0);
    else
        send_segment(&stranger, RST | ACK, 0, 0, 0);
}

static void greet(struct connection *c, const struct peer *from, const u8 *segment)
{
    if (!c) {
        c = claim();
        memset(c, 0, offsetof(struct connection, buffer));
        c->state = SYN_RECEIVED;
        c->peer = *from;
        c->peer_port = get16(segment);
        c->own_port = get16(segment + 2);
        c->received = get32(segment + 4) + 1;
        c->acknowledged = draw_number();
        c->sent = c->highest = c->acknowledged + 1;
    }
    c->heard_at = c->sent_at = ticks();
    if (c->state == SYN_RECEIVED)
        send_segment(c, SYN | ACK, c->acknowledged, 0, 0);
    else
        send_acknowledgement(c);
}

/* Forget what the peer has acknowledged. */
static void take_acknowledgement(struct connection *c, u32 acknowledgement)
{
    u32 advance = acknowledgement - c->acknowledged;

    if (advance == 0 || advance > c->highest - c->acknowledged)
        return; /* old news, or of something never sent */
    c->repeats = 0;
    c->sent_at = ticks();
    c->acknowledged = acknowledgement;
    if ((int)(c->sent - acknowledgement) < 0)
        c->sent = acknowledgement;
    if (c->state == SYN_RECEIVED) {
        c->state = OPEN;
        advance--;
    }
    if (advance > c->length) {
        c->closed = 1;
        advance = c->length;
    }
    c->length -= advance;
    memmove(c->buffer, c->buffer + advance, c->length);
}

/* Take in what follows on from what was received. */
static void take_content(struct connection *c, u32 sequence, const u8 *content, u32 length, u8 flags)
{
    u32 known = c->received - sequence, room = BUFFER_BYTES - c->length;

    if (known > length) /* known already with all its FIN, or something before it is missing */
        return;
    content += known;
    length -= known;
    if (length > room) {
        length = room;
        flags &= ~FIN;
    }
    c->received += length;
    if (c->own_port == ECHO_PORT) {
        memcpy(c->buffer + c->length, content, length);
        c->length += length;
    } else if (!c->closing && http_take(&c->request, content, length)) {
        c->length = http_answer(&c->request, (char *)c->buffer);
        c->closing = 1;
    }
    if (flags & FIN && !c->peer_closed) {
        c->received++;
        c->peer_closed = c->closing = 1;
    }
}

static void advance(struct connection *c, const u8 *segment, const u8 *content, u32 length)
{
    u8 flags = segment[13];
    u32 room = BUFFER_BYTES - c->length;
    int owes_answer = length || flags & FIN;

    c->heard_at = ticks();
    c->peer_window = get16(segment + 14);
    if (flags & ACK)
        take_acknowledgement(c, get32(segment + 8));
    if (c->state != OPEN)
        return;
    if (owes_answer)
        take_content(c, get32(segment + 4), content, length, flags);
    else if (room < SEGMENT_BYTES && BUFFER_BYTES - c->length >= SEGMENT_BYTES)
        owes_answer = 1; /* the peer may be waiting for the window to open */
    if (!send_pending(c) && owes_answer)
        send_acknowledgement(c);
    if (c->closed && c->peer_closed)
        c->state = FREE;
}

void tcp_segment(const struct peer *from, const u8 *segment, u32 length)
{
    u32 header = length < 20 ? 0 : (segment[12] >> 4) * 4;
    struct connection *c;

    if (header < 20 || header > length)
        return;
    length -= header;
    c = find(from, get16(segment), get16(segment + 2));
    if (segment[13] & RST) {
        if (c)
            c->state = FREE;
    } else if (segment[13] & SYN) {
        u16 port = get16(segment + 2);
        if (port == ECHO_PORT || port == HTTP_PORT)
            greet(c, from, segment);
        else
            refuse(from, segment, length);
    } else if (c) {
        memcpy(c->peer.mac, from->mac, 6);
        advance(c, segment, segment + header, length);
    } else {
        refuse(from, segment, length);
    }
}

static void repeat(struct connection *c)
{
    if (c->repeats < SLOWEST_REPEAT)
        c->repeats++;
    c->sent_at = ticks();
    if (c->state == SYN_RECEIVED) {
        send_segment(c, SYN | ACK, c->acknowledged, 0, 0);
        return;
    }
    if (!c->peer_window)
        c->peer_window = 1; /* ask whether it has opened */
    c->sent = c->acknowledged;
    send_pending(c);
}

void tcp_tick(void)
{
    for (struct connection *c = connections; c < connections + CONNECTIONS; c++) {
        int waits = c->length || c->sent != c->acknowledged || (c->closing && !c->closed);
        if (c->state != FREE && waits && ticks() - c->sent_at > REPEAT_AFTER << c->repeats)
            repeat(c);
    }
}
