/* Server with the C library, used as in its tutorial: one loop around enet_host_service.
 * enet-c echo|others|next PEERS CHANNELS: prints "ready PORT" and forwards packets until the end of
 * its input. */

#include <enet/enet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ENetPeer *clients[4096];
static size_t count;

static size_t place(const ENetPeer *peer) { return (size_t)(uintptr_t)peer->data; }

static void pass(const char *how, ENetPeer *from, enet_uint8 channel, ENetPacket *packet) {
    if (!strcmp(how, "echo")) {
        enet_peer_send(from, channel, packet);
    } else if (!strcmp(how, "next")) {
        enet_peer_send(clients[(place(from) + 1) % count], channel, packet);
    } else {
        for (size_t i = 0; i < count; i++)
            if (clients[i] != from) enet_peer_send(clients[i], channel, packet);
    }
    if (packet->referenceCount == 0) enet_packet_destroy(packet);
}

/* A thread would be nicer than a look at each wake-up, but this costs next to nothing. */
static int input_has_ended(void) {
    struct pollfd input = {.fd = 0, .events = POLLIN};
    char bytes[64];
    return poll(&input, 1, 0) > 0 && read(0, bytes, sizeof bytes) <= 0;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: enet-c echo|others|next PEERS CHANNELS\n");
        return 2;
    }
    ENetAddress address = {.host = ENET_HOST_TO_NET_32(0x7f000001), .port = 0};
    if (enet_initialize() != 0) return 1;
    ENetHost *host = enet_host_create(&address, (size_t)atoi(argv[2]), (size_t)atoi(argv[3]), 0, 0);
    if (host == NULL || enet_socket_get_address(host->socket, &address) != 0) {
        fprintf(stderr, "enet-c: cannot create a host\n");
        return 1;
    }
    printf("ready %u\n", address.port);
    fflush(stdout);

    enet_uint32 last_look = 0;
    for (;;) {
        ENetEvent event;
        int got = enet_host_service(host, &event, 100);
        if (got < 0) return 1;
        if (got > 0 && event.type == ENET_EVENT_TYPE_CONNECT) {
            event.peer->data = (void *)(uintptr_t)count;
            clients[count++] = event.peer;
        } else if (got > 0 && event.type == ENET_EVENT_TYPE_RECEIVE) {
            pass(argv[1], event.peer, event.channelID, event.packet);
        }
        if (enet_time_get() - last_look >= 100) {
            last_look = enet_time_get();
            if (input_has_ended()) return 0;
        }
    }
}
