/* The Linux guest's only program: /init, which does what the bare-metal guest does. It answers ping
   (the kernel does), echoes TCP on port 7, says on port 80 who it is, keeps the log of heartbeats
   on its disk, and powers off when the button is pressed. Its address is the last four bytes of its
   MAC. One process, one loop: what must be durable is written between two looks at the sockets. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/input.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "block.h"
#include "console.h"
#include "disk_log.h"
#include "identity.h"
#include "interrupts.h"

#define DISK "/dev/vda"
#define NIC "eth0"
#define ECHO_PORT 7
#define HTTP_PORT 80
#define LOG_EVERY 4 /* ticks, as the bare-metal guest */
#define MODULES_MOST 32
#define PEERS_MOST 64
#define DEVICE_WAIT_TICKS (30 * TICKS_PER_SECOND) /* drivers take a second under emulation */

enum { ECHO, HTTP, BUTTON, PEERS }; /* places in `watched`; from PEERS on, connections */

static struct pollfd watched[PEERS + PEERS_MOST];
static struct { /* what came in and has not all gone back yet */
    char content[4096];
    ssize_t length, sent;
} echoes[PEERS_MOST];
static int disk = -1;
static u32 sectors;
static u64 drawn_boot_id;
static u8 address[4];

/* What guest/disk_log.c asks of its surroundings. */

void print(const char *text)
{
    fputs(text, stdout);
    fflush(stdout);
}

u64 boot_id(void)
{
    return drawn_boot_id;
}

/* The kernel's generator goes on alike in two copies of one memory; the time they read does not. */
u32 draw_number(void)
{
    struct timespec now;
    u32 drawn = 0;

    if (getrandom(&drawn, sizeof drawn, GRND_NONBLOCK) < 0)
        drawn = 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return drawn ^ (u32)now.tv_nsec * 0x9e3779b1u;
}

u32 ticks(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u32)(now.tv_sec * TICKS_PER_SECOND + now.tv_nsec / (1000000000 / TICKS_PER_SECOND));
}

u32 block_sectors(void)
{
    return sectors;
}

static u8 sector[SECTOR_BYTES] __attribute__((aligned(4096))); /* as O_DIRECT asks */

int block_read(u32 number, void *content, void (*idle)(void))
{
    (void)idle;
    if (pread(disk, sector, SECTOR_BYTES, (off_t)number * SECTOR_BYTES) != SECTOR_BYTES)
        return -1;
    memcpy(content, sector, SECTOR_BYTES);
    return 0;
}

int block_write(u32 number, const void *content, void (*idle)(void))
{
    (void)idle;
    memcpy(sector, content, SECTOR_BYTES);
    return pwrite(disk, sector, SECTOR_BYTES, (off_t)number * SECTOR_BYTES) == SECTOR_BYTES ? 0 : -1;
}

/* The start. */

static void load_modules(void)
{
    char path[32];

    for (int number = 0; number < MODULES_MOST; number++) {
        snprintf(path, sizeof path, "/modules/%02d.ko", number);
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            return;
        if (syscall(SYS_finit_module, file, "", 0) < 0 && errno != EEXIST)
            printf("GUEST-MODULE-ERROR %s %d\n", path, errno);
        close(file);
    }
}

static int open_disk(void)
{
    u64 bytes = 0;

    disk = open(DISK, O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);
    if (disk < 0)
        return 0;
    ioctl(disk, BLKGETSIZE64, &bytes);
    sectors = (u32)(bytes / SECTOR_BYTES);
    return 1;
}

static void set_address(struct ifreq *request, unsigned long what, const u8 *value)
{
    struct sockaddr_in *place = (struct sockaddr_in *)&request->ifr_addr;
    int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memset(place, 0, sizeof *place);
    place->sin_family = AF_INET;
    memcpy(&place->sin_addr, value, sizeof place->sin_addr);
    ioctl(socket_fd, what, request);
    close(socket_fd);
}

static int start_interface(const char *name)
{
    static const u8 netmask[4] = {255, 255, 255, 0};
    struct ifreq request = {0};
    int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(socket_fd, SIOCGIFHWADDR, &request) < 0) {
        close(socket_fd);
        return 0;
    }
    memcpy(address, request.ifr_hwaddr.sa_data + 2, sizeof address);
    if (name[0] == 'l')
        memcpy(address, "\177\0\0\1", sizeof address);
    set_address(&request, SIOCSIFADDR, address);
    set_address(&request, SIOCSIFNETMASK, netmask);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    ioctl(socket_fd, SIOCSIFFLAGS, &request);
    close(socket_fd);
    return 1;
}

static int listening(int port)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((u16)port)};
    int one = 1, socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bind(socket_fd, (struct sockaddr *)&here, sizeof here);
    listen(socket_fd, PEERS_MOST);
    return socket_fd;
}

/* The input device that has a power key; q35 and pc have one each. */
static int open_button(void)
{
    struct dirent *entry;
    DIR *folder = opendir("/dev/input");

    while (folder && (entry = readdir(folder))) {
        u8 keys[KEY_MAX / 8 + 1] = {0};
        int file = openat(dirfd(folder), entry->d_name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (file < 0)
            continue;
        if (ioctl(file, EVIOCGBIT(EV_KEY, sizeof keys), keys) >= 0 &&
            keys[KEY_POWER / 8] & 1 << KEY_POWER % 8) {
            closedir(folder);
            return file;
        }
        close(file);
    }
    if (folder)
        closedir(folder);
    return -1;
}

static void watch(int place, int file)
{
    watched[place] = (struct pollfd){.fd = file, .events = POLLIN};
}

static void start(void)
{
    mkdir("/dev/input", 0755);
    mount("none", "/proc", "proc", 0, "");
    mount("none", "/sys", "sysfs", 0, "");
    mount("none", "/dev", "devtmpfs", 0, "");
    load_modules();
    for (int place = 0; place < PEERS + PEERS_MOST; place++)
        watch(place, -1);
    while (getrandom(&drawn_boot_id, sizeof drawn_boot_id, 0) < 0 && errno == EINTR)
        ;
    u32 begun = ticks();
    while (!open_disk() && ticks() - begun < DEVICE_WAIT_TICKS)
        usleep(10000);
    start_interface("lo");
    while (!start_interface(NIC) && ticks() - begun < DEVICE_WAIT_TICKS)
        usleep(10000);
    watch(ECHO, listening(ECHO_PORT));
    watch(HTTP, listening(HTTP_PORT));
    watch(BUTTON, open_button());
    if (disk >= 0)
        disk_log_open(NULL);
}

/* The loop. */

static int accepted(int listener)
{
    return accept4(watched[listener].fd, NULL, NULL, SOCK_CLOEXEC);
}

static void take_peer(void)
{
    int peer = accepted(ECHO);

    for (int place = PEERS; peer >= 0 && place < PEERS + PEERS_MOST; place++)
        if (watched[place].fd < 0) {
            watch(place, peer);
            return;
        }
    if (peer >= 0)
        close(peer);
}

/* One step of a connection, never waiting: take something in, or send more of it back. */
static void echo(int number)
{
    struct pollfd *peer = &watched[PEERS + number];
    ssize_t moved;

    if (peer->events == POLLIN)
        moved = echoes[number].length =
            recv(peer->fd, echoes[number].content, sizeof echoes[number].content, MSG_DONTWAIT);
    else
        moved = send(peer->fd, echoes[number].content + echoes[number].sent,
                     (size_t)(echoes[number].length - echoes[number].sent),
                     MSG_DONTWAIT | MSG_NOSIGNAL);
    if (moved < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (moved <= 0) {
        close(peer->fd);
        peer->fd = -1;
        return;
    }
    echoes[number].sent = peer->events == POLLIN ? 0 : echoes[number].sent + moved;
    peer->events = echoes[number].sent < echoes[number].length ? POLLOUT : POLLIN;
}

/* Whatever is asked, the answer is who this is: the bare-metal guest's words. */
static void say_who(void)
{
    char question[512];
    struct timeval patience = {.tv_sec = 1};
    int peer = accepted(HTTP);

    if (peer < 0)
        return;
    setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (recv(peer, question, sizeof question, 0) > 0)
        dprintf(peer,
                "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
                "boot=%016llx boots=%u counter=%u ticks=%u healthy=1 write_errors=%u\n",
                (unsigned long long)boot_id(), disk_log_boots(), disk_log_counter(), ticks(),
                disk_log_write_errors());
    close(peer);
}

static void look_at_button(void)
{
    struct input_event event;

    while (read(watched[BUTTON].fd, &event, sizeof event) == sizeof event)
        if (event.type == EV_KEY && event.code == KEY_POWER && event.value) {
            sync();
            reboot(RB_POWER_OFF);
        }
}

static void look(int timeout_ms)
{
    if (poll(watched, PEERS + PEERS_MOST, timeout_ms) <= 0)
        return;
    if (watched[ECHO].revents)
        take_peer();
    if (watched[HTTP].revents)
        say_who();
    if (watched[BUTTON].revents)
        look_at_button();
    for (int number = 0; number < PEERS_MOST; number++)
        if (watched[PEERS + number].fd >= 0 && watched[PEERS + number].revents)
            echo(number);
}

int main(void)
{
    start();
    printf("GUEST-READY boot %016llx boots %u address %u.%u.%u.%u\n",
           (unsigned long long)boot_id(), disk_log_boots(), address[0], address[1], address[2],
           address[3]);
    fflush(stdout);
    for (u32 next_record = ticks();;) {
        int rest = (int)(next_record - ticks());
        look(rest > 0 ? rest * (1000 / TICKS_PER_SECOND) : 0);
        if (disk >= 0 && (int)(ticks() - next_record) >= 0) {
            next_record = ticks() + LOG_EVERY;
            disk_log_append(NULL);
        }
    }
}
