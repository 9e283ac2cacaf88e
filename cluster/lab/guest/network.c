#include "network.h"

#include "tcp.h"
#include "virtio.h"

#define FEATURE_MAC (1 << 5)
#define VIRTIO_HEADER 10 /* before each frame, all zero: no offload of any kind is agreed on */
#define FRAME_BYTES 1600
#define INPUT_BUFFERS 32
#define OUTPUT_BUFFERS 32

#define ETHERNET 14 /* bytes: target, source, type */
#define IP 20       /* bytes: we send no options */
#define SMALLEST_FRAME 60
#define LARGEST_ECHO 1400

#define TYPE_IP 0x0800
#define TYPE_ARP 0x0806
#define ARP_REQUEST 1
#define ARP_REPLY 2
#define TIME_TO_LIVE 64
#define DO_NOT_FRAGMENT 0x4000

static struct queue input, output;
static u8 input_frames[INPUT_BUFFERS][FRAME_BYTES] __attribute__((aligned(16)));
static u8 output_frames[OUTPUT_BUFFERS][FRAME_BYTES] __attribute__((aligned(16)));
static u16 output_begun, output_finished;
static u8 own_mac[6];
static u32 own_address;

int network_start(void)
{
    u32 agreed;
    u16 io_base = virtio_find(VIRTIO_NETWORK, FEATURE_MAC, &agreed);

    if (!io_base)
        return 0;
    virtio_queue(&input, io_base, 0);
    virtio_queue(&output, io_base, 1);
    for (int i = 0; i < 6; i++)
        own_mac[i] = read_port8(io_base + VIRTIO_CONFIG + i);
    memcpy(&own_address, own_mac + 2, 4);
    for (u16 i = 0; i < INPUT_BUFFERS; i++) {
        u32 frame = (u32)input_frames[i];
        input.descriptors[i] = (struct descriptor){frame, FRAME_BYTES, DEVICE_WRITES, 0};
        queue_offer(&input, i);
    }
    virtio_ready(io_base);
    queue_kick(&input);
    return 1;
}

const u8 *network_address(void)
{
    return (const u8 *)&own_address;
}

int network_has_input(void)
{
    return queue_has_answer(&input);
}

u16 checksum(const void *content, u32 length, u32 sum)
{
    const u8 *at = content;

    for (; length > 1; length -= 2, at += 2)
        sum += get16(at);
    if (length)
        sum += (u32)at[0] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (u16)~sum;
}

u32 pseudo_header_sum(u32 peer_address, u8 protocol, u32 length)
{
    u8 addresses[8];

    memcpy(addresses, &own_address, 4);
    memcpy(addresses + 4, &peer_address, 4);
    return (u16)~checksum(addresses, sizeof addresses, 0) + protocol + length;
}

/* The next frame to be filled, or null when all are with the device. */
static u8 *frame_begin(void)
{
    u8 *buffer;

    while (queue_take(&output, 0) >= 0)
        output_finished++;
    if ((u16)(output_begun - output_finished) == OUTPUT_BUFFERS)
        return 0;
    buffer = output_frames[output_begun % OUTPUT_BUFFERS];
    memset(buffer, 0, VIRTIO_HEADER + SMALLEST_FRAME);
    return buffer + VIRTIO_HEADER;
}

/* Send the frame last begun. */
static void frame_send(const u8 *target, u16 type, u32 length)
{
    u16 number = output_begun++ % OUTPUT_BUFFERS;
    u8 *frame = output_frames[number] + VIRTIO_HEADER;

    memcpy(frame, target, 6);
    memcpy(frame + 6, own_mac, 6);
    put16(frame + 12, type);
    if (length < SMALLEST_FRAME)
        length = SMALLEST_FRAME;
    output.descriptors[number] =
        (struct descriptor){(u32)output_frames[number], VIRTIO_HEADER + length, 0, 0};
    queue_offer(&output, number);
    queue_kick(&output);
}

u8 *packet_payload(void)
{
    u8 *frame = frame_begin();

    return frame ? frame + ETHERNET + IP : 0;
}

void packet_send(const struct peer *to, u8 protocol, u32 length)
{
    static u16 identification;
    u8 *header = output_frames[output_begun % OUTPUT_BUFFERS] + VIRTIO_HEADER + ETHERNET;

    memset(header, 0, IP);
    header[0] = 0x45; /* version 4, five words long */
    put16(header + 2, IP + length);
    put16(header + 4, ++identification);
    put16(header + 6, DO_NOT_FRAGMENT);
    header[8] = TIME_TO_LIVE;
    header[9] = protocol;
    memcpy(header + 12, &own_address, 4);
    memcpy(header + 16, &to->address, 4);
    put16(header + 10, checksum(header, IP, 0));
    frame_send(to->mac, TYPE_IP, ETHERNET + IP + length);
}

static int is_own(const u8 *address)
{
    u32 value;

    memcpy(&value, address, 4);
    return value == own_address;
}

static void on_arp(const u8 *frame)
{
    const u8 *request = frame + ETHERNET;
    u8 *reply;

    if (get16(request + 6) != ARP_REQUEST || !is_own(request + 24))
        return;
    reply = frame_begin();
    if (!reply)
        return;
    reply += ETHERNET;
    memcpy(reply, request, 6); /* Ethernet and IPv4, with their lengths */
    put16(reply + 6, ARP_REPLY);
    memcpy(reply + 8, own_mac, 6);
    memcpy(reply + 14, &own_address, 4);
    memcpy(reply + 18, request + 8, 10); /* who asked */
    frame_send(frame + 6, TYPE_ARP, SMALLEST_FRAME);
}

static void on_ping(const struct peer *from, const u8 *request, u32 length)
{
    u8 *reply;

    if (length < 8 || length > LARGEST_ECHO || request[0] != 8 || !(reply = packet_payload()))
        return;
    memcpy(reply, request, length);
    reply[0] = 0; /* echo reply */
    put16(reply + 2, 0);
    put16(reply + 2, checksum(reply, length, 0));
    packet_send(from, PROTOCOL_ICMP, length);
}

static void on_udp(const struct peer *from, const u8 *datagram, u32 length)
{
    u8 *reply;

    if (length < 8 || length > LARGEST_ECHO || get16(datagram + 2) != ECHO_PORT)
        return;
    if (!(reply = packet_payload()))
        return;
    memcpy(reply, datagram, length);
    memcpy(reply, datagram + 2, 2);
    memcpy(reply + 2, datagram, 2);
    put16(reply + 6, 0); /* no checksum */
    packet_send(from, PROTOCOL_UDP, length);
}

static void on_ip(const u8 *frame, u32 length)
{
    const u8 *header = frame + ETHERNET;
    u32 header_length = (header[0] & 15) * 4, total = get16(header + 2);
    struct peer from;

    if (!is_own(header + 16) || total + ETHERNET > length || header_length > total)
        return;
    memcpy(&from.address, header + 12, 4);
    memcpy(from.mac, frame + 6, 6);
    header += header_length;
    total -= header_length;
    if (frame[ETHERNET + 9] == PROTOCOL_ICMP)
        on_ping(&from, header, total);
    else if (frame[ETHERNET + 9] == PROTOCOL_UDP)
        on_udp(&from, header, total);
    else if (frame[ETHERNET + 9] == PROTOCOL_TCP)
        tcp_segment(&from, header, total);
}

static void on_frame(const u8 *frame, u32 length)
{
    if (length < ETHERNET + IP)
        return;
    if (get16(frame + 12) == TYPE_IP)
        on_ip(frame, length);
    else if (get16(frame + 12) == TYPE_ARP && length >= ETHERNET + 28)
        on_arp(frame);
}

void network_poll(void)
{
    int number, taken = 0;
    u32 length;

    while ((number = queue_take(&input, &length)) >= 0) {
        on_frame(input_frames[number] + VIRTIO_HEADER, length - VIRTIO_HEADER);
        queue_offer(&input, (u16)number);
        taken = 1;
    }
    if (taken)
        queue_kick(&input);
}

void network_announce(void)
{
    static const u8 everyone[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const u8 ethernet_and_ip[6] = {0, 1, 8, 0, 6, 4};
    u8 *claim;

    if (!output.io_base || !(claim = frame_begin()))
        return;
    claim += ETHERNET;
    memcpy(claim, ethernet_and_ip, sizeof ethernet_and_ip);
    put16(claim + 6, ARP_REQUEST);
    memcpy(claim + 8, own_mac, 6);
    memcpy(claim + 14, &own_address, 4);
    memcpy(claim + 24, &own_address, 4);
    frame_send(everyone, TYPE_ARP, SMALLEST_FRAME);
}
