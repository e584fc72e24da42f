/* One side of sessions with C ENet, led by lines on standard input; what happens is told by lines on standard output.
 *
 *   listen PORT CHANNELS COMPRESS CHECKSUM IN OUT          a host at 127.0.0.1:PORT; "listening"
 *   connect PORT CHANNELS COMPRESS CHECKSUM IN OUT DATA    a host, and a connection to 127.0.0.1:PORT
 *   send FLAGS CHANNEL SIZE NUMBER                         one packet: its number, then bytes that follow from it
 *   bandwidth IN OUT | throttle INTERVAL UP DOWN | patience LIMIT MINIMUM MAXIMUM
 *   figures                                                "figures SENT LOST RTT THROTTLE"
 *   disconnect HOW DATA                                    0 with an answer, 1 at once, 2 when all has arrived
 *   step MS                                                receives and sends as if it were MS; "stepped"
 *
 *   connected DATA | disconnected DATA | packet CHANNEL FLAGS NUMBER SIZE INTACT | error TEXT
 *
 * Time stands still between two steps: nothing depends on how fast the machine is. It ends with its input. COMPRESS is 1 for
 * the range coder, CHECKSUM 1 for CRC-32. */

#include <enet/enet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ENetHost *host;
static ENetPeer *peer;
/* ENet zeroes its counters every ten seconds. */
static unsigned long sent, lost;
static enet_uint32 sent_before, lost_before;
static enet_uint32 now;

/* Takes the place of the library's function of this name, which reads the clock. */
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
        fail("no host");
    if (compress && enet_host_compress_with_range_coder(host) < 0)
        fail("no range coder");
    if (checksum)
        host->checksum = enet_crc32;
}

static void send_packet(unsigned flags, unsigned channel, unsigned size, unsigned number) {
    ENetPacket *packet = enet_packet_create(NULL, size, flags);
    for (unsigned i = 0; i < size; i++)
        packet->data[i] = (enet_uint8) (i < 4 ? number >> (24 - 8 * i) : i + number);
    if (!peer || enet_peer_send(peer, (enet_uint8) channel, packet) < 0)
        fail("a packet was not sent");
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

static void count(void) {
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
        fail("the library reads the clock itself");
    count();
    printf("stepped\n");
    fflush(stdout);
}

static void obey(char *line) {
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
            fail("no connection");
    } else if (!strcmp(word, "send")) {
        send_packet(n[0], n[1], n[2], n[3]);
    } else if (!strcmp(word, "bandwidth") && host) {
        enet_host_bandwidth_limit(host, n[0], n[1]);
    } else if (!strcmp(word, "throttle") && peer) {
        enet_peer_throttle_configure(peer, n[0], n[1], n[2]);
    } else if (!strcmp(word, "patience") && peer) {
        enet_peer_timeout(peer, n[0], n[1], n[2]);
    } else if (!strcmp(word, "figures") && peer) {
        printf("figures %lu %lu %u %u\n", sent, lost, peer->roundTripTime, peer->packetThrottle);
    } else if (!strcmp(word, "disconnect") && peer) {
        if (n[0] == 0)
            enet_peer_disconnect(peer, n[1]);
        else if (n[0] == 2)
            enet_peer_disconnect_later(peer, n[1]);
        else {
            enet_peer_disconnect_now(peer, n[1]);
            peer = NULL; /* there will be no event */
        }
    } else if (!strcmp(word, "step")) {
        now = n[0];
        step();
    } else {
        fail("what was that?");
    }
}

int main(void) {
    static char line[256];
    if (enet_initialize() != 0)
        fail("no ENet");
    while (fgets(line, sizeof line, stdin))
        obey(line);
    return 0;
}
