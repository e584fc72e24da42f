//! The memory network passes the conformance suite, and transports with one fault each fail it.

mod common;

use std::collections::{BTreeSet, VecDeque};
use std::task::{Context, Poll};

use common::{MemoryRig, Wrap};
use mp_core::conformance as check;
use mp_core::{
    Channel, ConnectionId, ConnectionStatus, Connections, DisconnectReason, Farewell, Instant,
    MemoryMultiplayerPeer, MultiplayerPeer, Outgoing, Packet, PeerEvent, PeerId, Prefix, Readiness,
    SendError, TransferMode,
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
        the_server_and_a_client_meet, "Connecting", ConnectedAtOnce;
    detects_second_connected_event:
        the_server_and_a_client_meet, "reused connection 0.0", ConnectsTwice;
    detects_missing_claimed_id:
        the_server_sees_the_id_a_client_has, "at the server", ClaimsNothing;
    detects_packet_before_connected:
        connected_precedes_packets, "outside connection", PacketsFirst;
    detects_next_event_that_polls:
        events_come_only_out_of_poll, "an event without a poll", PollsByItself;
    detects_reused_connection_id:
        a_connection_id_is_never_used_again, "reused connection 0.0", ReusesIds;
    detects_missing_wake_up:
        a_host_that_sleeps_until_it_is_called_makes_progress, "timed out", NeverWakes;
    detects_busy_loop_of_an_idle_peer:
        a_host_that_sleeps_until_it_is_called_makes_progress, "requests an immediate turn", NeverRests;
    detects_server_that_sends_nothing:
        packets_travel_both_ways, "a packet each way", ServerIsMute;
    detects_lost_reliable_packet:
        reliable_packets_arrive_once_and_in_order, "300 reliable packets each way", LosesReliable;
    detects_duplicated_reliable_packet:
        reliable_packets_arrive_once_and_in_order, "more packets received", RepeatsReliable;
    detects_reordered_reliable_packets:
        reliable_packets_arrive_once_and_in_order, "of channel", Swaps;
    detects_changed_reliable_packet:
        reliable_packets_arrive_once_and_in_order, "of channel", ChangesBytes;
    detects_duplicated_unreliable_packet:
        unreliable_packets_arrive_at_most_once, "received twice", RepeatsUnreliable;
    detects_changed_unreliable_packet:
        unreliable_packets_arrive_at_most_once, "has changed", ChangesBytes;
    detects_unreliable_mode_that_delivers_nothing:
        unreliable_packets_arrive_at_most_once, "packets received", LosesUnreliable;
    detects_reordered_ordered_packets:
        unreliable_ordered_packets_never_go_backwards, "received after", Swaps;
    detects_ordered_mode_that_delivers_nothing:
        unreliable_ordered_packets_never_go_backwards, "packets received", LosesUnreliable;
    detects_wrong_mode:
        modes_and_channels_are_reported, "Unreliable on 0", ForgetsModes;
    detects_wrong_channel:
        modes_and_channels_are_reported, "Unreliable on 1", ForgetsChannels;
    detects_missing_prefix:
        a_prefix_is_part_of_the_packet, "left == right", ForgetsPrefixes;
    detects_packet_for_the_first_connection_only:
        many_goes_to_each, "the packet for all connections", SendsToTheFirstOnly;
    detects_packet_for_too_many_connections:
        many_goes_to_each, "client 1", SendsToEverybody;
    detects_error_for_a_closed_connection:
        a_link_that_has_gone_is_skipped, "packet accepted", FailsOnGoneLinks;
    detects_packet_dropped_because_one_connection_is_closed:
        a_link_that_has_gone_is_skipped, "the remaining connection", DropsManyWithGoneLinks;
    detects_accepted_oversized_packet:
        a_packet_that_is_too_large_is_refused_and_goes_nowhere, "left == right", TakesTooLarge;
    detects_truncated_oversized_packet:
        a_packet_that_is_too_large_is_refused_and_goes_nowhere, "left == right", CutsTooLarge;
    detects_dropped_empty_packet:
        an_empty_packet_arrives_empty, "three packets", EatsEmptyPackets;
    detects_pause_without_effect:
        a_held_link_leaves_packets_with_their_sender, "received on a paused connection", NeverHolds;
    detects_packets_lost_while_paused:
        a_held_link_leaves_packets_with_their_sender, "the packets of the resumed connection", LosesHeld;
    detects_pause_that_never_ends:
        a_held_link_leaves_packets_with_their_sender, "the packets of the resumed connection", HoldsForEver;
    detects_missing_disconnected_event:
        a_polite_goodbye_is_reported_on_both_sides, "both peers", NeverDisconnects;
    detects_wrong_disconnect_reason:
        a_polite_goodbye_is_reported_on_both_sides, "Kicked", ForgetsReasons;
    detects_missing_disconnected_event_of_a_client:
        a_client_may_say_goodbye, "both peers", NeverDisconnects;
    detects_second_disconnected_event:
        a_client_may_say_goodbye, "which was not connected", DisconnectsTwice;
    detects_drain_that_does_not_wait:
        a_draining_goodbye_delivers_first, "accepted before the draining disconnect", NeverDrains;
    detects_event_after_immediate_disconnect:
        an_abrupt_goodbye_is_reported_on_the_other_side_only, "which was not connected", NeverAbrupt;
    detects_immediate_disconnect_without_notification:
        an_abrupt_goodbye_is_reported_on_the_other_side_only, "to report the end", LeavesSilently;
    detects_server_close_without_notification:
        closing_is_reported_by_everybody_else, "the clients to report the end", LeavesSilently;
    detects_events_after_close:
        closing_is_reported_by_everybody_else, "which was not connected", ReportsItsOwnClose;
    detects_client_close_without_notification:
        a_client_that_closes_is_reported_by_the_server, "the server to report the end", LeavesSilently;
    detects_connection_accepted_while_refusing:
        refusing_keeps_the_links_there_are, "the server refuses", RefusesNobody;
    detects_existing_connection_closed_by_refusing:
        refusing_keeps_the_links_there_are, "existing connection ended", RefusesEverybody;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    ChangesBytes,
    ClaimsNothing,
    ConnectedAtOnce,
    ConnectsTwice,
    CutsTooLarge,
    DisconnectsTwice,
    DropsManyWithGoneLinks,
    EatsEmptyPackets,
    FailsOnGoneLinks,
    ForgetsChannels,
    ForgetsModes,
    ForgetsPrefixes,
    ForgetsReasons,
    HoldsForEver,
    LeavesSilently,
    LosesHeld,
    LosesReliable,
    LosesUnreliable,
    NeverAbrupt,
    NeverDisconnects,
    NeverDrains,
    NeverHolds,
    NeverRests,
    NeverWakes,
    PacketsFirst,
    PollsByItself,
    RefusesEverybody,
    RefusesNobody,
    RepeatsReliable,
    RepeatsUnreliable,
    ReportsItsOwnClose,
    ReusesIds,
    SendsToEverybody,
    SendsToTheFirstOnly,
    ServerIsMute,
    Swaps,
    TakesTooLarge,
}

/// The memory network with one fault.
struct Faulty {
    inner: MemoryMultiplayerPeer,
    fault: Fault,
    now: Instant,
    /// Events to report next.
    events: VecDeque<PeerEvent>,
    /// Event that is withheld until after the next one.
    kept: Option<PeerEvent>,
    packets: usize,
    links: BTreeSet<ConnectionId>,
    held: BTreeSet<ConnectionId>,
    refusing: bool,
    gone: bool,
}

impl Faulty {
    fn new(inner: MemoryMultiplayerPeer, fault: Fault) -> Self {
        Self {
            inner,
            fault,
            now: Instant::ZERO,
            events: VecDeque::new(),
            kept: None,
            packets: 0,
            links: BTreeSet::new(),
            held: BTreeSet::new(),
            refusing: false,
            gone: false,
        }
    }

    fn is_server(&self) -> bool {
        self.inner.unique_id().is_server()
    }

    fn pass(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Connected { connection, claimed_id, origin } => {
                self.links.insert(connection);
                let claimed_id = claimed_id.filter(|_| self.fault != Fault::ClaimsNothing);
                let event = PeerEvent::Connected { connection, claimed_id, origin };
                match self.fault {
                    Fault::ConnectsTwice => self.events.extend([event.clone(), event]),
                    Fault::PacketsFirst if !self.is_server() => self.kept = Some(event),
                    Fault::ReusesIds => self.events.push_back(renamed(event)),
                    _ => self.events.push_back(event),
                }
            }
            PeerEvent::Packet(packet) => self.pass_packet(packet),
            PeerEvent::Disconnected { connection, reason } => {
                self.links.remove(&connection);
                let reason = match self.fault {
                    Fault::ForgetsReasons => DisconnectReason::Closed,
                    _ => reason,
                };
                let event = PeerEvent::Disconnected { connection, reason };
                match self.fault {
                    Fault::NeverDisconnects => {}
                    Fault::DisconnectsTwice => self.events.extend([event.clone(), event]),
                    Fault::ReusesIds => self.events.push_back(renamed(event)),
                    _ => self.events.push_back(event),
                }
            }
            _ => unreachable!("unknown event"),
        }
    }

    fn pass_packet(&mut self, mut packet: Packet) {
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
            Fault::EatsEmptyPackets if packet.payload.is_empty() => return,
            Fault::LosesHeld if self.held.contains(&packet.from) => return,
            _ => {}
        }
        let repeated = match self.fault {
            Fault::RepeatsReliable => reliable && seventh,
            Fault::RepeatsUnreliable => !reliable && seventh,
            _ => false,
        };
        let mut event = PeerEvent::Packet(packet);
        if self.fault == Fault::ReusesIds {
            event = renamed(event);
        }
        if repeated {
            self.events.push_back(event.clone());
        }
        if self.fault == Fault::Swaps && seventh {
            self.kept = Some(event);
            return;
        }
        // A withheld event follows the next packet of its channel.
        let (channel, follows) = (channel_of(&event), self.kept.as_ref().and_then(channel_of));
        self.events.push_back(event);
        if follows.is_none() || follows == channel {
            self.events.extend(self.kept.take());
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
fn renamed(mut event: PeerEvent) -> PeerEvent {
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
        if self.fault == Fault::PollsByItself {
            self.inner.poll(self.now);
        }
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            match self.inner.next_event() {
                Some(_) if self.gone => {}
                Some(event) => self.pass(event),
                None if self.fault == Fault::PacketsFirst => return None,
                None => return self.kept.take(),
            }
        }
    }

    fn send(&mut self, mut outgoing: Outgoing) -> Result<(), SendError> {
        let gone = outgoing.to.as_slice().iter().any(|link| !self.links.contains(link));
        let too_large = outgoing.len() > self.inner.max_packet_size();
        match self.fault {
            Fault::ServerIsMute if self.is_server() => return Ok(()),
            Fault::ForgetsPrefixes => outgoing.prefix = Prefix::EMPTY,
            Fault::SendsToTheFirstOnly => outgoing.to = outgoing.to.as_slice()[0].into(),
            Fault::SendsToEverybody => {
                outgoing.to = Connections::Many(self.links.iter().copied().collect());
            }
            Fault::FailsOnGoneLinks if gone => return Err(SendError::NotConnected),
            Fault::DropsManyWithGoneLinks if gone => return Ok(()),
            Fault::TakesTooLarge if too_large => return Ok(()),
            Fault::CutsTooLarge if too_large => {
                let cut = Outgoing { payload: outgoing.payload.slice(..10), ..outgoing.clone() };
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
        farewell: Farewell,
    ) {
        let farewell = match (self.fault, farewell) {
            (Fault::NeverAbrupt, Farewell::Abrupt) if self.is_server() => Farewell::Polite,
            (Fault::NeverDrains, Farewell::Drain) => Farewell::Polite,
            (Fault::LeavesSilently, Farewell::Abrupt) => {
                self.gone = true;
                return;
            }
            _ => farewell,
        };
        self.links.remove(&connection);
        self.inner.disconnect(connection, reason, farewell);
    }

    fn close(&mut self) {
        match self.fault {
            Fault::LeavesSilently => self.gone = true,
            Fault::ReportsItsOwnClose => {
                let reason = DisconnectReason::Closed;
                let links = self.links.iter();
                self.events.extend(
                    links.map(|&connection| PeerEvent::Disconnected { connection, reason }),
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
            _ if self.gone => ConnectionStatus::Disconnected,
            _ => self.inner.connection_status(),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (self.fault == Fault::NeverRests).then_some(self.now)
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

    fn hold(&mut self, connection: ConnectionId, held: bool) {
        match self.fault {
            Fault::NeverHolds => {}
            Fault::HoldsForEver if !held => {}
            Fault::LosesHeld if held => _ = self.held.insert(connection),
            Fault::LosesHeld => _ = self.held.remove(&connection),
            _ => self.inner.hold(connection, held),
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
                for &link in &self.links {
                    self.inner.disconnect(link, DisconnectReason::Refused, Farewell::Polite);
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
