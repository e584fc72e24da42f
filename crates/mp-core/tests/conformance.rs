//! The memory network passes the suite, and transports with one planted fault each do not.

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
fn the_memory_network_passes_the_suite() {
    check::suite(MemoryRig::new);
}

/// For each planted fault: the test's name, the check that has to notice it, and with what words.
macro_rules! noticed {
    ($($name:ident: $check:ident, $words:literal, $fault:ident;)*) => {
        $(
            #[test]
            #[should_panic(expected = $words)]
            fn $name() {
                const WRAP: Wrap = |peer| Box::new(Faulty::new(peer, Fault::$fault));
                check::$check(MemoryRig::wrapped(WRAP));
            }
        )*
    };
}

noticed! {
    a_status_that_runs_ahead_is_noticed:
        the_server_and_a_client_meet, "Connecting", ConnectedAtOnce;
    a_second_connected_is_noticed:
        the_server_and_a_client_meet, "used connection 0.0 twice", ConnectsTwice;
    a_missing_claim_is_noticed:
        the_server_sees_the_id_a_client_has, "at the server", ClaimsNothing;
    a_packet_before_its_link_is_noticed:
        connected_precedes_packets, "outside of connection", PacketsFirst;
    next_event_that_polls_is_noticed:
        events_come_only_out_of_poll, "an event without a poll", PollsByItself;
    a_reused_id_is_noticed:
        a_connection_id_is_never_used_again, "used connection 0.0 twice", ReusesIds;
    a_host_that_is_not_woken_is_noticed:
        a_host_that_sleeps_until_it_is_called_makes_progress, "in vain", NeverWakes;
    a_peer_that_never_rests_is_noticed:
        a_host_that_sleeps_until_it_is_called_makes_progress, "asks for a turn at once", NeverRests;
    a_one_way_link_is_noticed:
        packets_travel_both_ways, "a packet each way", ServerIsMute;
    a_lost_reliable_packet_is_noticed:
        reliable_packets_arrive_once_and_in_order, "300 reliable packets each way", LosesReliable;
    a_repeated_reliable_packet_is_noticed:
        reliable_packets_arrive_once_and_in_order, "more packets arrived", RepeatsReliable;
    reliable_packets_out_of_order_are_noticed:
        reliable_packets_arrive_once_and_in_order, "of channel", Swaps;
    a_changed_byte_is_noticed:
        reliable_packets_arrive_once_and_in_order, "of channel", ChangesBytes;
    a_repeated_unreliable_packet_is_noticed:
        unreliable_packets_arrive_at_most_once, "arrived twice", RepeatsUnreliable;
    a_changed_unreliable_packet_is_noticed:
        unreliable_packets_arrive_at_most_once, "was changed", ChangesBytes;
    unreliable_packets_that_never_arrive_are_noticed:
        unreliable_packets_arrive_at_most_once, "packets arrived", LosesUnreliable;
    ordered_packets_that_go_backwards_are_noticed:
        unreliable_ordered_packets_never_go_backwards, "arrived after", Swaps;
    ordered_packets_that_never_arrive_are_noticed:
        unreliable_ordered_packets_never_go_backwards, "packets arrived", LosesUnreliable;
    a_wrong_mode_is_noticed:
        modes_and_channels_are_reported, "Unreliable on 0", ForgetsModes;
    a_wrong_channel_is_noticed:
        modes_and_channels_are_reported, "Unreliable on 1", ForgetsChannels;
    a_missing_prefix_is_noticed:
        a_prefix_is_part_of_the_packet, "left == right", ForgetsPrefixes;
    a_link_left_out_is_noticed:
        many_goes_to_each, "what is for all", SendsToTheFirstOnly;
    a_link_too_many_is_noticed:
        many_goes_to_each, "client 1", SendsToEverybody;
    an_error_for_a_gone_link_is_noticed:
        a_link_that_has_gone_is_skipped, "a packet is accepted", FailsOnGoneLinks;
    a_gone_link_that_takes_the_others_with_it_is_noticed:
        a_link_that_has_gone_is_skipped, "the link that is here", DropsManyWithGoneLinks;
    a_packet_beyond_the_limit_is_noticed:
        a_packet_that_is_too_large_is_refused_and_goes_nowhere, "left == right", TakesTooLarge;
    a_refused_packet_that_arrives_is_noticed:
        a_packet_that_is_too_large_is_refused_and_goes_nowhere, "left == right", CutsTooLarge;
    an_empty_packet_that_is_eaten_is_noticed:
        an_empty_packet_arrives_empty, "three packets", EatsEmptyPackets;
    a_hold_that_does_nothing_is_noticed:
        a_held_link_leaves_packets_with_their_sender, "came out of a held link", NeverHolds;
    a_hold_that_loses_packets_is_noticed:
        a_held_link_leaves_packets_with_their_sender, "the packets of the held link", LosesHeld;
    a_hold_that_is_never_released_is_noticed:
        a_held_link_leaves_packets_with_their_sender, "the packets of the held link", HoldsForEver;
    a_link_without_an_end_is_noticed:
        a_polite_goodbye_is_reported_on_both_sides, "both sides", NeverDisconnects;
    a_reason_that_is_not_the_callers_is_noticed:
        a_polite_goodbye_is_reported_on_both_sides, "Kicked", ForgetsReasons;
    a_client_without_an_end_is_noticed:
        a_client_may_say_goodbye, "both sides", NeverDisconnects;
    a_second_end_is_noticed:
        a_client_may_say_goodbye, "which was not there", DisconnectsTwice;
    a_goodbye_that_does_not_wait_is_noticed:
        a_draining_goodbye_delivers_first, "accepted before a draining goodbye", NeverDrains;
    an_abrupt_end_with_an_event_is_noticed:
        an_abrupt_goodbye_is_reported_on_the_other_side_only, "which was not there", NeverAbrupt;
    an_abrupt_end_that_nobody_learns_of_is_noticed:
        an_abrupt_goodbye_is_reported_on_the_other_side_only, "to learn of it", LeavesSilently;
    a_server_that_closes_silently_is_noticed:
        closing_is_reported_by_everybody_else, "the clients to learn of it", LeavesSilently;
    a_close_with_events_is_noticed:
        closing_is_reported_by_everybody_else, "which was not there", ReportsItsOwnClose;
    a_client_that_closes_silently_is_noticed:
        a_client_that_closes_is_reported_by_the_server, "the server to learn of it", LeavesSilently;
    a_client_that_is_let_in_all_the_same_is_noticed:
        refusing_keeps_the_links_there_are, "the server refuses", RefusesNobody;
    a_refusal_of_those_inside_is_noticed:
        refusing_keeps_the_links_there_are, "was refused, too", RefusesEverybody;
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
    /// Events on their way out.
    events: VecDeque<PeerEvent>,
    /// An event kept back until the next one.
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
            _ => unreachable!("no other event"),
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
        // What was kept back follows the next packet of its channel.
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

/// `event` of a link that forgot its generation.
fn renamed(mut event: PeerEvent) -> PeerEvent {
    match &mut event {
        PeerEvent::Connected { connection, .. } | PeerEvent::Disconnected { connection, .. } => {
            connection.generation = 0;
        }
        PeerEvent::Packet(packet) => packet.from.generation = 0,
        _ => unreachable!("no other event"),
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
