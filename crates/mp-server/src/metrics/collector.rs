//! [`ServerCollector`]: the families of a server, at a scrape.

use mp_core::{GateRefusal, Reason, ReasonCounts};
use mp_identity::{AuthRefusal, AuthStats};
use mp_rooms::{JoinRefusal, RoomEnd};
use mp_scene::{PacketCounts, PacketKind, Refusal};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::cluster::cluster;
use super::family::{Family, Labels};
use super::snapshot::Snapshot;
use super::{EndpointSnapshot, Metrics};

/// Takes a snapshot at each scrape.
#[derive(Debug)]
pub(super) struct ServerCollector(pub(super) Metrics);

impl Collector for ServerCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let families = families(&Snapshot::take(&self.0));
        families.iter().try_for_each(|family| family.encode(&mut encoder))
    }
}

/// Returns all families. Those that a server does not have, such as the expiry of a certificate,
/// have no values.
pub(super) fn families(snapshot: &Snapshot) -> Vec<Family> {
    let cluster = cluster(snapshot.cluster.as_ref());
    let groups = [server(snapshot), rooms(snapshot), network(snapshot), scene(snapshot), cluster];
    groups.into_iter().flatten().chain(process(snapshot)).collect()
}

fn server(snapshot: &Snapshot) -> Vec<Family> {
    let reloads = [("ok", snapshot.reloads), ("error", snapshot.failed_reloads)];
    let requests =
        [("ok", snapshot.certificate_requests), ("error", snapshot.failed_certificate_requests)];
    let expiry = snapshot.certificate_expiry.map(|at| (vec![], at as f64));
    vec![
        Family::info(
            "mp_build",
            "Version of the server",
            vec![("version", env!("CARGO_PKG_VERSION"))],
        ),
        Family::gauges(
            "mp_draining",
            "1 while the server refuses players because it is about to end",
            one(f64::from(u8::from(snapshot.rooms.is_draining))),
        ),
        Family::counters(
            "mp_config_reloads",
            "Reloads of the configuration",
            reloads.map(|(result, count)| (vec![("result", result)], count)),
        ),
        Family::gauges(
            "mp_certificate_expiry_timestamp",
            "Unix time at which the certificate in use expires",
            expiry,
        )
        .seconds(),
        Family::counters(
            "mp_certificate_requests",
            "Requests for certificates to an authority",
            requests.map(|(result, count)| (vec![("result", result)], count)),
        ),
        Family::counters(
            "mp_queries",
            "Queries of server lists",
            snapshot.queries.iter().map(|&(result, count)| (vec![("result", result)], count)),
        ),
        Family::counters("mp_bugs", "Impossible states, each a bug of mp", one(snapshot.bugs)),
    ]
}

fn rooms(snapshot: &Snapshot) -> Vec<Family> {
    let stats = &snapshot.rooms.stats;
    vec![
        Family::gauges(
            "mp_rooms",
            "Open rooms, and rooms that are being created",
            one((stats.open + stats.creating) as f64),
        ),
        Family::gauges(
            "mp_recordings",
            "Rooms that are being recorded",
            one(snapshot.recordings.active() as f64),
        ),
        Family::counters(
            "mp_recordings_ended",
            "Recordings that have ended",
            snapshot.recordings.ends().map(|(reason, count)| (vec![("reason", reason)], count)),
        ),
        Family::counters(
            "mp_recordings_written",
            "Bytes written to recordings",
            one(snapshot.recordings.written_bytes()),
        )
        .bytes(),
        Family::counters("mp_rooms_created", "Rooms created", one(stats.created_rooms)),
        Family::counters(
            "mp_rooms_closed",
            "Rooms that were closed, have ended or could not be created",
            by_reason(&stats.closed_rooms, RoomEnd::ALL),
        ),
        Family::counters(
            "mp_room_moves",
            "Moves of players to other rooms",
            [
                ("moved", stats.moved),
                ("refused", stats.refused_moves),
                ("failed", stats.failed_moves),
            ]
            .map(|(result, count)| (vec![("result", result)], count)),
        ),
        Family::gauges(
            "mp_peers_kept",
            "Players without a connection whose places are kept",
            one(stats.kept_places as f64),
        ),
        Family::counters(
            "mp_resumes",
            "Sessions that were resumed, have expired, or were refused to others",
            [
                ("resumed", stats.resumed),
                ("expired", stats.expired_keeps),
                ("invalid_resume", stats.refused.get(JoinRefusal::InvalidResume)),
                ("wrong_player", stats.refused.get(JoinRefusal::WrongPlayer)),
            ]
            .map(|(result, count)| (vec![("result", result)], count)),
        ),
        Family::counters(
            "mp_room_states",
            "States of hosted games that were kept on disk, and restored",
            snapshot.kept_states.iter().map(|&(result, count)| (vec![("result", result)], count)),
        ),
        Family::counters(
            "mp_authentications",
            "Players whose credentials were accepted or refused",
            authentications(&snapshot.rooms.admission.auth),
        ),
        Family::histograms(
            "mp_authentication_duration",
            "Time from a player's credentials to the decision",
            one(snapshot.rooms.admission.durations),
        ),
        Family::counters(
            "mp_admission_refused",
            "Players refused before they were in a room",
            admission_refusals(snapshot),
        ),
        Family::counters("mp_limit_hits", "Times that a limit had an effect", limits(snapshot)),
    ]
}

/// Returns the number of accepted players, and that of refused ones by reason.
fn authentications(stats: &AuthStats) -> Vec<(Labels, u64)> {
    let refused = AuthRefusal::ALL.iter().map(|&it| (it.label(), stats.refused.get(it)));
    let all = std::iter::once(("accepted", stats.accepted)).chain(refused);
    all.map(|(result, count)| (vec![("result", result)], count)).collect()
}

/// Returns the refusals of the gate and of the registry of rooms. Both refuse during a shortage.
fn admission_refusals(snapshot: &Snapshot) -> Vec<(Labels, u64)> {
    let mut all = by_reason(&snapshot.rooms.stats.refused, JoinRefusal::ALL);
    for (label, count) in by_reason(&snapshot.gate.refused, GateRefusal::ALL) {
        match all.iter_mut().find(|(of_rooms, _)| *of_rooms == label) {
            Some((_, sum)) => *sum += count,
            None => all.push((label, count)),
        }
    }
    all
}

fn limits(snapshot: &Snapshot) -> Vec<(Labels, u64)> {
    let (gate, rooms) = (&snapshot.gate.refused, &snapshot.rooms.stats.refused);
    let endpoints = snapshot.endpoints().endpoint;
    let hits = [
        ("connections_per_address", gate.get(GateRefusal::TooManyOfAddress)),
        ("handshakes_per_second", gate.get(GateRefusal::TooManyHandshakes)),
        ("lateness", gate.get(GateRefusal::Overloaded) + rooms.get(JoinRefusal::Overloaded)),
        ("memory", gate.get(GateRefusal::OutOfMemory) + rooms.get(JoinRefusal::OutOfMemory)),
        ("players", rooms.get(JoinRefusal::RoomFull) + rooms.get(JoinRefusal::ServerFull)),
        ("rooms", rooms.get(JoinRefusal::TooManyRooms)),
        ("waiting_joins", rooms.get(JoinRefusal::TooManyWaiting)),
        ("room_queue", endpoints.pauses),
        ("rate", endpoints.rate_drops + endpoints.rate_pauses),
        ("rate_excess", endpoints.rate_disconnects),
        ("hosted_games", snapshot.branches.scene.relay_limit_hits),
    ];
    hits.map(|(limit, count)| (vec![("limit", limit)], count)).to_vec()
}

fn network(snapshot: &Snapshot) -> Vec<Family> {
    let by_transport = |get: fn(&EndpointSnapshot) -> u64| {
        let of_each = snapshot.transports.iter();
        of_each.map(move |(kind, stats)| (vec![("transport", kind.label())], get(stats)))
    };
    let gauges = |get| by_transport(get).map(|(labels, value)| (labels, value as f64));
    let handshakes = snapshot.transports.iter().flat_map(|(kind, stats)| {
        let completed = ("completed", stats.transport.completed_handshakes);
        [completed, ("refused", stats.transport.refused_handshakes)]
            .map(|(result, count)| (vec![("transport", kind.label()), ("result", result)], count))
    });
    let left = snapshot.transports.iter().flat_map(|(kind, stats)| {
        let by_reason = by_reason(&stats.endpoint.ended_connections, Reason::ALL);
        by_reason.into_iter().map(|(mut labels, count)| {
            labels.insert(0, ("transport", kind.label()));
            (labels, count)
        })
    });
    let round_trips = snapshot.transports.iter();
    let round_trips = round_trips
        .map(|(kind, stats)| (vec![("transport", kind.label())], stats.transport.round_trips));
    vec![
        Family::gauges(
            "mp_peers",
            "Connected players",
            gauges(|it| {
                let endpoint = &it.endpoint;
                (endpoint.connections - endpoint.undecided - endpoint.lingering) as u64
            }),
        ),
        Family::counters(
            "mp_peers_joined",
            "Players that entered the rooms of the server, without moves",
            by_transport(|it| it.endpoint.assigned_connections),
        ),
        Family::counters("mp_peers_left", "Players that left a room", left),
        Family::counters("mp_handshakes", "Handshakes of the transport", handshakes),
        Family::counters(
            "mp_datagrams_received",
            "Datagrams received",
            by_transport(|it| it.transport.datagrams_received),
        ),
        Family::counters(
            "mp_datagrams_sent",
            "Datagrams sent",
            by_transport(|it| it.transport.datagrams_sent),
        ),
        Family::counters(
            "mp_network_received",
            "Bytes received, without the headers of UDP and TCP",
            by_transport(|it| it.transport.network_bytes_received),
        )
        .bytes(),
        Family::counters(
            "mp_network_sent",
            "Bytes sent, without the headers of UDP and TCP",
            by_transport(|it| it.transport.network_bytes_sent),
        )
        .bytes(),
        Family::counters(
            "mp_packets_received",
            "Packets of players received",
            by_transport(|it| it.transport.connections.packets_received),
        ),
        Family::counters(
            "mp_packets_sent",
            "Packets sent to players, once per player",
            by_transport(|it| it.transport.connections.packets_sent),
        ),
        Family::counters(
            "mp_packets_dropped",
            "Packets dropped; reliable ones only if the connection was closed",
            drops(snapshot),
        ),
        Family::counters(
            "mp_retransmissions",
            "Reliable packets sent again",
            by_transport(|it| it.transport.connections.retransmissions),
        ),
        Family::gauges(
            "mp_send_queue",
            "Bytes accepted for players and not sent or not acknowledged yet",
            gauges(|it| it.transport.connections.queued_bytes),
        )
        .bytes(),
        Family::histograms(
            "mp_round_trip",
            "Round-trip times of players, one sample of each player per second",
            round_trips,
        ),
    ]
}

/// Returns the packets that endpoints and rooms dropped. Rooms do not know the transport.
fn drops(snapshot: &Snapshot) -> Vec<(Labels, u64)> {
    let mut all = Vec::new();
    let mut add = |transport, direction, reason, count| {
        let labels = vec![("transport", transport), ("direction", direction), ("reason", reason)];
        all.push((labels, count));
    };
    for (kind, EndpointSnapshot { endpoint, transport, .. }) in &snapshot.transports {
        let transport_label = kind.label();
        add(transport_label, "received", "transport", transport.connections.receive_drops);
        add(transport_label, "received", "room_queue", endpoint.dropped_packets);
        add(transport_label, "received", "rate", endpoint.rate_drops);
        add(transport_label, "sent", "transport", transport.connections.send_drops);
        add(transport_label, "sent", "not_accepted", endpoint.rejected_packets);
        add(transport_label, "sent", "not_connected", endpoint.foreign_sends);
    }
    let scene = &snapshot.branches.scene;
    add("any", "received", "unknown_peer", scene.stray_packets);
    add("any", "received", "moved", scene.moved_packets);
    add("any", "received", "may_not_relay", scene.refused_relays);
    add("any", "sent", "endpoint_blocked", scene.outbox_drops);
    add("any", "sent", "peer_paused", scene.paused_drops);
    all
}

fn scene(snapshot: &Snapshot) -> Vec<Family> {
    let branches = &snapshot.branches;
    let by_kind = |counts: PacketCounts, get: fn(&PacketCounts, PacketKind) -> u64| {
        PacketKind::ALL.map(|kind| (vec![("kind", kind.label())], get(&counts, kind)))
    };
    let (received, sent) = (branches.packets.received, branches.packets.sent);
    let mut refused = by_reason(&branches.call_refusals, Refusal::ALL);
    refused.retain(|(_, count)| *count > 0);
    let other = branches.scene.refused_calls.saturating_sub(branches.call_refusals.total());
    refused.push((vec![("reason", "not_made")], other));
    let turns = [("endpoint", snapshot.endpoints().turns), ("room", branches.turns)];
    vec![
        Family::counters(
            "mp_messages_received",
            "Messages received by rooms",
            by_kind(received, PacketCounts::packets),
        ),
        Family::counters(
            "mp_messages_sent",
            "Messages sent by rooms, once per receiver",
            by_kind(sent, PacketCounts::packets),
        ),
        Family::counters(
            "mp_message_received",
            "Bytes of messages received by rooms",
            by_kind(received, PacketCounts::bytes),
        )
        .bytes(),
        Family::counters(
            "mp_message_sent",
            "Bytes of messages sent by rooms, once per receiver",
            by_kind(sent, PacketCounts::bytes),
        )
        .bytes(),
        Family::counters(
            "mp_packets_malformed",
            "Packets that could not be decoded, or that their sender may not send",
            one(branches.scene.malformed_packets),
        ),
        Family::counters("mp_calls_refused", "Calls received and not made", refused),
        Family::counters(
            "mp_kept_calls",
            "Calls and packets to players whose places are kept",
            [("queued", branches.scene.queued_calls), ("dropped", branches.scene.kept_drops)]
                .map(|(result, count)| (vec![("result", result)], count)),
        ),
        Family::counters(
            "mp_steps_skipped",
            "Times that a player was not sent properties because it does not keep up",
            one(branches.scene.skipped_steps),
        ),
        Family::histograms(
            "mp_turn_duration",
            "Time of a turn with the input before it",
            turns.map(|(actor, histogram)| (vec![("actor", actor)], histogram)),
        ),
    ]
}

fn process(snapshot: &Snapshot) -> Vec<Family> {
    let stats = &snapshot.process;
    let gauge = |value: Option<f64>| value.map(|value| (vec![], value));
    let bytes = gauge(stats.resident_bytes.map(|bytes| bytes as f64));
    let open_files = gauge(stats.open_files.map(|files| files as f64));
    vec![
        Family::counter_of_seconds("process_cpu", "CPU time of the process", stats.cpu),
        Family::gauges("process_resident_memory", "Resident memory of the process", bytes).bytes(),
        Family::gauges("process_open_fds", "Open file descriptors of the process", open_files),
        Family::gauges("process_start_time", "Start of the process", gauge(stats.start)).seconds(),
    ]
}

/// Returns a value without labels.
fn one<T>(value: T) -> [(Labels, T); 1] {
    [(vec![], value)]
}

/// Returns the count of each reason.
fn by_reason<R: Reason>(counts: &ReasonCounts<R>, all: &[R]) -> Vec<(Labels, u64)> {
    let count = |&reason: &R| (vec![("reason", reason.label())], counts.get(reason));
    all.iter().map(count).collect()
}
