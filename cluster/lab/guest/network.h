/* The first virtio network card, Ethernet, ARP and IPv4 with ping and UDP echo. The address is the
   last four bytes of the card's MAC: 52:54:0a:42:00:65 is 10.66.0.101. */
#ifndef NETWORK_H
#define NETWORK_H

#include "machine.h"

#define ECHO_PORT 7
#define HTTP_PORT 80

#define PROTOCOL_ICMP 1
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

/* Another machine: how to reach it. Addresses stay in the order of the wire. */
struct peer {
    u32 address;
    u8 mac[6];
};

int network_start(void); /* true if there is a card */
void network_poll(void); /* take in and answer what has arrived */
int network_has_input(void);
void network_announce(void); /* tell the neighbours where this address is */
const u8 *network_address(void); /* four bytes */

/* Somewhere to build a packet's payload, or null when every buffer is on its way: drop it then,
   whoever needs it will ask again. Give it away with packet_send. */
u8 *packet_payload(void);
void packet_send(const struct peer *to, u8 protocol, u32 length);

/* The internet checksum over `length` bytes, begun with `sum`. */
u16 checksum(const void *content, u32 length, u32 sum);
/* What the pseudo header of TCP adds to the sum. */
u32 pseudo_header_sum(u32 peer_address, u8 protocol, u32 length);

static inline u16 get16(const u8 *at)
{
    return (u16)(at[0] << 8 | at[1]);
}

static inline u32 get32(const u8 *at)
{
    return (u32)get16(at) << 16 | get16(at + 2);
}

static inline void put16(u8 *at, u16 value)
{
    at[0] = value >> 8;
    at[1] = value & 0xff;
}

static inline void put32(u8 *at, u32 value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

#endif
