//! The memory network passes the conformance suite, and transports with one fault each fail it.

mod common;

use std::collections::{BTreeSet, VecDeque};
use std::task::{Context, Poll};

use common::{MemoryRig, Wrap};
use mp_core::conformance as check;
use mp_core::{
    Channel, CloseMode, ConnectionId, ConnectionStatus, Connections, DisconnectReason, Instant,
    MemoryMultiplayerPeer, MultiplayerPeer, OutgoingPacket, Packet, PeerEvent, PeerId, Prefix,
    Readiness, SendError, TransferMode,
};

#[test]
fn memory_network_passes_the_suite() {
    check::suite(MemoryRig::new);
}

/// Defines one test per fault: its name, the check that must fail, and a part of the panic message.
macro_rules! detected {
    ($($name:ident: $check:ident, $message:literal, $fault:ident;)*) => {
        $(
            #[test]
            #[should_panic(expected = $message)]
            fn $name() {
                const WRAP: Wrap = |peer| Box::new(Faulty::new(peer, Fault::$fault));
                check::$check(MemoryRig::wrapped(WRAP));
            }
        )*
    };
}

detected! {
    detects_connected_status_before_the_event:
        client_and_server_connect, "Connecting", ConnectedAtOnce;
    detects_second_connected_event:
        client_and_server_connect, "reused connection 0.0", ConnectsTwice;
    detects_missing_claimed_id:
        server_reports_the_id_of_its_client, "at the server", ClaimsNothing;
    detects_packet_before_connected:
        connected_precedes_packets, "outside connection", PacketsFirst;
    detects_next_event_that_polls:
        events_are_received_only_by_poll, "an event without a poll", PollsInNextEvent;
    detects_reused_connection_id:
        connection_ids_are_never_reused, "reused connection 0.0", ReusesIds;
    detects_missing_wake_up:
        sleeping_host_makes_progress, "timed out", NeverWakes;
    detects_busy_loop_of_an_idle_peer:
        sleeping_host_makes_progress, "requests an immediate turn", IsAlwaysDue;
    detects_server_that_sends_nothing:
        packets_are_delivered_both_ways, "a packet each way", ServerSendsNothing;
    detects_lost_reliable_packet:
        reliable_packets_are_delivered_once_and_in_order, "300 reliable packets each way",
        LosesReliable;
    detects_duplicated_reliable_packet:
        reliable_packets_are_delivered_once_and_in_order, "more packets received", RepeatsReliable;
    detects_reordered_reliable_packets:
        reliable_packets_are_delivered_once_and_in_order, "of channel", Reorders;
    detects_changed_reliable_packet:
        reliable_packets_are_delivered_once_and_in_order, "of channel", ChangesBytes;
    detects_duplicated_unreliable_packet:
        unreliable_packets_are_delivered_at_most_once, "received twice", RepeatsUnreliable;
    detects_changed_unreliable_packet:
        unreliable_packets_are_delivered_at_most_once, "has changed", ChangesBytes;
    detects_unreliable_mode_that_delivers_nothing:
        unreliable_packets_are_delivered_at_most_once, "packets received", LosesUnreliable;
    detects_reordered_ordered_packets:
        unreliable_ordered_packets_never_go_backwards, "received after", Reorders;
    detects_ordered_mode_that_delivers_nothing:
        unreliable_ordered_packets_never_go_backwards, "packets received", LosesUnreliable;
    detects_wrong_mode:
        modes_and_channels_are_reported, "Unreliable on 0", ForgetsModes;
    detects_wrong_channel:
        modes_and_channels_are_reported, "Unreliable on 1", ForgetsChannels;
    detects_missing_prefix:
        prefix_precedes_the_payload, "left == right", ForgetsPrefixes;
    detects_packet_for_the_first_connection_only:
        packet_for_many_connections_is_delivered_to_each, "the packet for all connections",
        SendsToTheFirstOnly;
    detects_packet_for_too_many_connections:
        packet_for_many_connections_is_delivered_to_each, "client 1", SendsToEverybody;
    detects_error_for_a_closed_connection:
        closed_connections_are_skipped, "packet accepted", FailsOnClosedConnections;
    detects_packet_dropped_because_one_connection_is_closed:
        closed_connections_are_skipped, "the remaining connection", DropsManyWithClosedConnections;
    detects_accepted_oversized_packet:
        oversized_packet_is_rejected, "left == right", AcceptsTooLarge;
    detects_truncated_oversized_packet:
        oversized_packet_is_rejected, "left == right", TruncatesTooLarge;
    detects_dropped_empty_packet:
        empty_packet_is_delivered, "three packets", DropsEmptyPackets;
    detects_pause_without_effect:
        paused_connection_leaves_packets_with_their_sender, "received on a paused connection",
        NeverPauses;
    detects_packets_lost_while_paused:
        paused_connection_leaves_packets_with_their_sender, "the packets of the resumed connection",
        LosesPaused;
    detects_pause_that_never_ends:
        paused_connection_leaves_packets_with_their_sender, "the packets of the resumed connection",
        PausesForever;
    detects_missing_disconnected_event:
        graceful_disconnect_is_reported_by_both_peers, "both peers", NeverDisconnects;
    detects_wrong_disconnect_reason:
        graceful_disconnect_is_reported_by_both_peers, "Kicked", ForgetsReasons;
    detects_missing_disconnected_event_of_a_client:
        client_disconnects_gracefully, "both peers", NeverDisconnects;
    detects_second_disconnected_event:
        client_disconnects_gracefully, "which was not connected", DisconnectsTwice;
    detects_drain_that_does_not_wait:
        drain_delivers_accepted_packets_first, "accepted before the draining disconnect",
        NeverDrains;
    detects_event_after_immediate_disconnect:
        immediate_disconnect_is_reported_by_the_remote_peer_only, "which was not connected",
        NeverImmediate;
    detects_immediate_disconnect_without_notification:
        immediate_disconnect_is_reported_by_the_remote_peer_only, "to report the end",
        LeavesSilently;
    detects_server_close_without_notification:
        closing_server_is_reported_by_its_clients, "the clients to report the end", LeavesSilently;
    detects_events_after_close:
        closing_server_is_reported_by_its_clients, "which was not connected", ReportsItsOwnClose;
    detects_client_close_without_notification:
        closing_client_is_reported_by_its_server, "the server to report the end", LeavesSilently;
    detects_connection_accepted_while_refusing:
        refusing_connections_keeps_existing_ones, "the server refuses", RefusesNobody;
    detects_existing_connection_closed_by_refusing:
        refusing_connections_keeps_existing_ones, "existing connection ended", RefusesEverybody;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    ChangesBytes,
    ClaimsNothing,
    ConnectedAtOnce,
    ConnectsTwice,
    TruncatesTooLarge,
    DisconnectsTwice,
    DropsManyWithClosedConnections,
    DropsEmptyPackets,
    FailsOnClosedConnections,
    ForgetsChannels,
    ForgetsModes,
    ForgetsPrefixes,
    ForgetsReasons,
    PausesForever,
    LeavesSilently,
    LosesPaused,
    LosesReliable,
    LosesUnreliable,
    NeverImmediate,
    NeverDisconnects,
    NeverDrains,
    NeverPauses,
    IsAlwaysDue,
    NeverWakes,
    PacketsFirst,
    PollsInNextEvent,
    RefusesEverybody,
    RefusesNobody,
    RepeatsReliable,
    RepeatsUnreliable,
    ReportsItsOwnClose,
    ReusesIds,
    SendsToEverybody,
    SendsToTheFirstOnly,
    ServerSendsNothing,
    Reorders,
    AcceptsTooLarge,
}

/// The memory network with one fault.
struct Faulty {
    inner: MemoryMultiplayerPeer,
    fault: Fault,
    now: Instant,
    /// Events to report next.
    events: VecDeque<PeerEvent>,
    /// Event that is withheld until after the next one.
    withheld: Option<PeerEvent>,
    packets: usize,
    connections: BTreeSet<ConnectionId>,
    paused: BTreeSet<ConnectionId>,
    refusing: bool,
    left_silently: bool,
}

impl Faulty {
    fn new(inner: MemoryMultiplayerPeer, fault: Fault) -> Self {
        Self {
            inner,
            fault,
            now: Instant::ZERO,
            events: VecDeque::new(),
            withheld: None,
            packets: 0,
            connections: BTreeSet::new(),
            paused: BTreeSet::new(),
            refusing: false,
            left_silently: false,
        }
    }

    fn is_server(&self) -> bool {
        self.inner.unique_id().is_server()
    }

    fn report(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Connected { connection, claimed_id, origin } => {
                self.connections.insert(connection);
                let claimed_id = claimed_id.filter(|_| self.fault != Fault::ClaimsNothing);
                let event = PeerEvent::Connected { connection, claimed_id, origin };
                match self.fault {
                    Fault::ConnectsTwice => self.events.extend([event.clone(), event]),
                    Fault::PacketsFirst if !self.is_server() => self.withheld = Some(event),
                    Fault::ReusesIds => self.events.push_back(with_reused_id(event)),
                    _ => self.events.push_back(event),
                }
            }
            PeerEvent::Packet(packet) => self.report_packet(packet),
            PeerEvent::Disconnected { connection, reason } => {
                self.connections.remove(&connection);
                let reason = match self.fault {
                    Fault::ForgetsReasons => DisconnectReason::Closed,
                    _ => reason,
                };
                let event = PeerEvent::Disconnected { connection, reason };
                match self.fault {
                    Fault::NeverDisconnects => {}
                    Fault::DisconnectsTwice => self.events.extend([event.clone(), event]),
                    Fault::ReusesIds => self.events.push_back(with_reused_id(event)),
                    _ => self.events.push_back(event),
                }
            }
            _ => unreachable!("unknown event"),
        }
    }

    fn report_packet(&mut self, mut packet: Packet) {
        self.packets += 1;
        let seventh = self.packets.is_multiple_of(7);
        let reliable = packet.mode.is_reliable();
        match self.fault {
            Fault::ForgetsModes => packet.mode = TransferMode::Reliable,
            Fault::ForgetsChannels => packet.channel = Channel(0),
            Fault::ChangesBytes if seventh => {
                let mut bytes = packet.payload.to_vec();
                *bytes.last_mut().expect("not empty") ^= 1;
                packet.payload = bytes.into();
            }
            Fault::LosesReliable if reliable && seventh => return,
            Fault::LosesUnreliable if !reliable => return,
            Fault::DropsEmptyPackets if packet.payload.is_empty() => return,
            Fault::LosesPaused if self.paused.contains(&packet.from) => return,
            _ => {}
        }
        let repeated = match self.fault {
            Fault::RepeatsReliable => reliable && seventh,
            Fault::RepeatsUnreliable => !reliable && seventh,
            _ => false,
        };
        let mut event = PeerEvent::Packet(packet);
        if self.fault == Fault::ReusesIds {
            event = with_reused_id(event);
        }
        if repeated {
            self.events.push_back(event.clone());
        }
        if self.fault == Fault::Reorders && seventh {
            self.withheld = Some(event);
            return;
        }
        // A withheld event follows the next packet of its channel.
        let (channel, follows) = (channel_of(&event), self.withheld.as_ref().and_then(channel_of));
        self.events.push_back(event);
        if follows.is_none() || follows == channel {
            self.events.extend(self.withheld.take());
        }
    }
}

fn channel_of(event: &PeerEvent) -> Option<Channel> {
    match event {
        PeerEvent::Packet(packet) => Some(packet.channel),
        _ => None,
    }
}

/// Returns `event` with generation 0, as if the transport reused connection ids.
fn with_reused_id(mut event: PeerEvent) -> PeerEvent {
    match &mut event {
        PeerEvent::Connected { connection, .. } | PeerEvent::Disconnected { connection, .. } => {
            connection.generation = 0;
        }
        PeerEvent::Packet(packet) => packet.from.generation = 0,
        _ => unreachable!("unknown event"),
    }
    event
}

impl MultiplayerPeer for Faulty {
    fn poll(&mut self, now: Instant) {
        self.now = now;
        self.inner.poll(now);
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        if self.fault == Fault::PollsInNextEvent {
            self.inner.poll(self.now);
        }
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            match self.inner.next_event() {
                Some(_) if self.left_silently => {}
                Some(event) => self.report(event),
                None if self.fault == Fault::PacketsFirst => return None,
                None => return self.withheld.take(),
            }
        }
    }

    fn send(&mut self, mut outgoing: OutgoingPacket) -> Result<(), SendError> {
        let any_closed = outgoing.to.as_slice().iter().any(|it| !self.connections.contains(it));
        let too_large = outgoing.len() > self.inner.max_packet_size();
        match self.fault {
            Fault::ServerSendsNothing if self.is_server() => return Ok(()),
            Fault::ForgetsPrefixes => outgoing.prefix = Prefix::EMPTY,
            Fault::SendsToTheFirstOnly => outgoing.to = outgoing.to.as_slice()[0].into(),
            Fault::SendsToEverybody => {
                outgoing.to = Connections::Many(self.connections.iter().copied().collect());
            }
            Fault::FailsOnClosedConnections if any_closed => return Err(SendError::NotConnected),
            Fault::DropsManyWithClosedConnections if any_closed => return Ok(()),
            Fault::AcceptsTooLarge if too_large => return Ok(()),
            Fault::TruncatesTooLarge if too_large => {
                let cut =
                    OutgoingPacket { payload: outgoing.payload.slice(..10), ..outgoing.clone() };
                self.inner.send(cut)?;
            }
            _ => {}
        }
        self.inner.send(outgoing)
    }

    fn flush(&mut self, now: Instant) {
        self.inner.flush(now);
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        let close_mode = match (self.fault, close_mode) {
            (Fault::NeverImmediate, CloseMode::Immediate) if self.is_server() => {
                CloseMode::Graceful
            }
            (Fault::NeverDrains, CloseMode::Drain) => CloseMode::Graceful,
            (Fault::LeavesSilently, CloseMode::Immediate) => {
                self.left_silently = true;
                return;
            }
            _ => close_mode,
        };
        self.connections.remove(&connection);
        self.inner.disconnect(connection, reason, close_mode);
    }

    fn close(&mut self) {
        match self.fault {
            Fault::LeavesSilently => self.left_silently = true,
            Fault::ReportsItsOwnClose => {
                let reason = DisconnectReason::Closed;
                let connections = self.connections.iter();
                self.events.extend(
                    connections.map(|&connection| PeerEvent::Disconnected { connection, reason }),
                );
                self.inner.close();
            }
            _ => self.inner.close(),
        }
    }

    fn unique_id(&self) -> PeerId {
        self.inner.unique_id()
    }

    fn connection_status(&self) -> ConnectionStatus {
        match self.fault {
            Fault::ConnectedAtOnce => ConnectionStatus::Connected,
            _ if self.left_silently => ConnectionStatus::Disconnected,
            _ => self.inner.connection_status(),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (self.fault == Fault::IsAlwaysDue).then_some(self.now)
    }

    fn readiness(&self) -> Readiness {
        self.inner.readiness()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.fault {
            Fault::NeverWakes => Poll::Pending,
            _ => self.inner.poll_ready(cx),
        }
    }

    fn pause_receiving(&mut self, connection: ConnectionId, pause: bool) {
        match self.fault {
            Fault::NeverPauses => {}
            Fault::PausesForever if !pause => {}
            Fault::LosesPaused if pause => _ = self.paused.insert(connection),
            Fault::LosesPaused => _ = self.paused.remove(&connection),
            _ => self.inner.pause_receiving(connection, pause),
        }
    }

    fn is_refusing_new_connections(&self) -> bool {
        self.refusing
    }

    fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.refusing = refuse;
        match self.fault {
            Fault::RefusesNobody => {}
            Fault::RefusesEverybody => {
                for &connection in &self.connections {
                    self.inner.disconnect(
                        connection,
                        DisconnectReason::Refused,
                        CloseMode::Graceful,
                    );
                }
                self.inner.set_refuse_new_connections(refuse);
            }
            _ => self.inner.set_refuse_new_connections(refuse),
        }
    }

    fn max_packet_size(&self) -> usize {
        self.inner.max_packet_size()
    }
}
