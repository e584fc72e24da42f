/* One side of sessions with C ENet: reads commands on standard input, reports events on standard
 * output, both as lines.
 *
 * Commands:
 *   listen PORT CHANNELS COMPRESS CHECKSUM IN OUT         create a host at 127.0.0.1:PORT; "listening"
 *   connect PORT CHANNELS COMPRESS CHECKSUM IN OUT DATA   create a host, and connect to 127.0.0.1:PORT
 *   send FLAGS CHANNEL SIZE NUMBER                        send a packet: NUMBER, then derived bytes
 *   bandwidth IN OUT                                      limit bytes per second
 *   throttle INTERVAL UP DOWN                             configure the packet throttle
 *   timeout LIMIT MINIMUM MAXIMUM                         configure the timeout
 *   stats                                                 "stats SENT LOST RTT THROTTLE"
 *   disconnect HOW DATA                                   HOW: 0 acknowledged, 1 now, 2 later
 *   step MS                                               receive and send at time MS; "stepped"
 *
 * Events:
 *   connected DATA | disconnected DATA | packet CHANNEL FLAGS NUMBER SIZE INTACT | error TEXT
 *
 * COMPRESS is 1 for the range coder, CHECKSUM is 1 for CRC-32. Time only advances in a step, so
 * outcomes do not depend on the speed of the machine. The program exits at the end of its input. */

#include <enet/enet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ENetHost *host;
static ENetPeer *peer;
/* Totals: ENet resets its own counters every ten seconds. */
static unsigned long sent, lost;
static enet_uint32 sent_before, lost_before;
static enet_uint32 now;

/* Replaces the library function of this name, which reads the clock. */
enet_uint32 enet_time_get(void) {
    return now;
}

static void fail(const char *text) {
    printf("error %s\n", text);
    fflush(stdout);
    exit(1);
}

static void open_host(const ENetAddress *at, unsigned channels, int compress, int checksum,
                      unsigned in, unsigned out) {
    if (host)
        enet_host_destroy(host);
    peer = NULL;
    sent = lost = sent_before = lost_before = 0;
    host = enet_host_create(at, 4, channels, in, out);
    if (!host)
        fail("cannot create a host");
    if (compress && enet_host_compress_with_range_coder(host) < 0)
        fail("cannot enable the range coder");
    if (checksum)
        host->checksum = enet_crc32;
}

static void send_packet(unsigned flags, unsigned channel, unsigned size, unsigned number) {
    ENetPacket *packet = enet_packet_create(NULL, size, flags);
    for (unsigned i = 0; i < size; i++)
        packet->data[i] = (enet_uint8) (i < 4 ? number >> (24 - 8 * i) : i + number);
    if (!peer || enet_peer_send(peer, (enet_uint8) channel, packet) < 0)
        fail("cannot send a packet");
}

static void receive_packet(const ENetPacket *packet, unsigned channel) {
    unsigned number = 0;
    int intact = packet->dataLength >= 4;
    for (size_t i = 0; i < packet->dataLength; i++) {
        if (i < 4)
            number = number << 8 | packet->data[i];
        else
            intact &= packet->data[i] == (enet_uint8) (i + number);
    }
    printf("packet %u %u %u %zu %d\n", channel, packet->flags & 0xb, number, packet->dataLength, intact);
}

static void add_counters(void) {
    if (!peer)
        return;
    sent += peer->packetsSent - (peer->packetsSent >= sent_before ? sent_before : 0);
    lost += peer->packetsLost - (peer->packetsLost >= lost_before ? lost_before : 0);
    sent_before = peer->packetsSent;
    lost_before = peer->packetsLost;
}

static void step(void) {
    ENetEvent event;
    while (host && enet_host_service(host, &event, 0) > 0) {
        if (event.type == ENET_EVENT_TYPE_CONNECT) {
            peer = event.peer;
            printf("connected %u\n", event.data);
        } else if (event.type == ENET_EVENT_TYPE_DISCONNECT) {
            peer = NULL;
            printf("disconnected %u\n", event.data);
        } else if (event.type == ENET_EVENT_TYPE_RECEIVE) {
            receive_packet(event.packet, event.channelID);
            enet_packet_destroy(event.packet);
        }
    }
    if (host && host->serviceTime != now)
        fail("the library does not use the replaced enet_time_get");
    add_counters();
    printf("stepped\n");
    fflush(stdout);
}

static void run_command(char *line) {
    unsigned n[8] = {0};
    char word[16] = "";
    int given = sscanf(line, "%15s %u %u %u %u %u %u %u", word, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6]);
    ENetAddress at = {0, (enet_uint16) n[0]};
    if (given < 1)
        return;
    enet_address_set_host_ip(&at, "127.0.0.1");
    if (!strcmp(word, "listen")) {
        open_host(&at, n[1], (int) n[2], (int) n[3], n[4], n[5]);
        printf("listening\n");
    } else if (!strcmp(word, "connect")) {
        open_host(NULL, n[1], (int) n[2], (int) n[3], n[4], n[5]);
        if (!enet_host_connect(host, &at, n[1], n[6]))
            fail("cannot connect");
    } else if (!strcmp(word, "send")) {
        send_packet(n[0], n[1], n[2], n[3]);
    } else if (!strcmp(word, "bandwidth") && host) {
        enet_host_bandwidth_limit(host, n[0], n[1]);
    } else if (!strcmp(word, "throttle") && peer) {
        enet_peer_throttle_configure(peer, n[0], n[1], n[2]);
    } else if (!strcmp(word, "timeout") && peer) {
        enet_peer_timeout(peer, n[0], n[1], n[2]);
    } else if (!strcmp(word, "stats") && peer) {
        printf("stats %lu %lu %u %u\n", sent, lost, peer->roundTripTime, peer->packetThrottle);
    } else if (!strcmp(word, "disconnect") && peer) {
        if (n[0] == 0)
            enet_peer_disconnect(peer, n[1]);
        else if (n[0] == 2)
            enet_peer_disconnect_later(peer, n[1]);
        else {
            enet_peer_disconnect_now(peer, n[1]);
            peer = NULL; /* ENet reports no event for this */
        }
    } else if (!strcmp(word, "step")) {
        now = n[0];
        step();
    } else {
        fail("unknown command");
    }
}

int main(void) {
    static char line[256];
    if (enet_initialize() != 0)
        fail("cannot initialize ENet");
    while (fgets(line, sizeof line, stdin))
        run_command(line);
    return 0;
}
