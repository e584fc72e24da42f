//! The host of a branch, tested with a scripted branch: budget, stalls, abandoned endpoints, and
//! closing.
#![allow(missing_docs, reason = "a test")]

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{
    Channel, CloseMode, ConnectionId, ConnectionStatus, DisconnectReason, EndpointId, EndpointInfo,
    Instant, OutgoingPacket, Packet, PeerEvent, PeerId, Prefix, StateMachine, ToBranch, ToEndpoint,
    TransferMode,
};
use mp_host::limits::{
    CLOSE_TIMEOUT, DELIVERY_RETRY, MESSAGE_WORK, QUEUED_PACKETS_HIGH, STALL_TIMEOUT, WORK_PER_TURN,
};
use mp_host::{BranchEnd, BranchHost, HostEvent, HostedBranch, LocalMailbox};

const ONE: EndpointId = EndpointId(1);
const TWO: EndpointId = EndpointId(2);
const START: Instant = Instant::from_millis(1_000);
const CONNECTION: ConnectionId = ConnectionId { slot: 0, generation: 0 };

/// A branch that records its input and sends the messages that the test queues.
#[derive(Default)]
struct ScriptedBranch {
    received: Vec<ToBranch>,
    queue: VecDeque<(EndpointId, ToEndpoint)>,
    queued_packets: usize,
    abandoned: VecDeque<EndpointId>,
    is_blocked: bool,
    was_closed: bool,
}

impl StateMachine for ScriptedBranch {
    type Input = ToBranch;
    type Output = ToEndpoint;
    type Destination = EndpointId;

    fn handle_input(&mut self, _now: Instant, input: ToBranch) {
        self.received.push(input);
    }

    fn end_turn(&mut self, _now: Instant) {}

    fn deliver(
        &mut self,
        accept: &mut dyn FnMut(EndpointId, ToEndpoint) -> Result<(), ToEndpoint>,
    ) {
        self.is_blocked = false;
        while let Some((endpoint, message)) = self.queue.pop_front() {
            if let Err(message) = accept(endpoint, message) {
                self.queue.push_front((endpoint, message));
                self.is_blocked = true;
                return;
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

impl HostedBranch for ScriptedBranch {
    fn close(&mut self, _reason: DisconnectReason, _close_mode: CloseMode) {
        self.was_closed = true;
    }

    fn queued_packets(&self) -> usize {
        self.queued_packets
    }

    fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    fn next_abandoned(&mut self) -> Option<EndpointId> {
        self.abandoned.pop_front()
    }
}

type Host = BranchHost<LocalMailbox<ToEndpoint>>;

/// Returns a host with one open endpoint, whose mailbox has capacity 1.
fn hosted() -> (Host, ScriptedBranch, LocalMailbox<ToEndpoint>) {
    let (mut host, mut branch, mailbox) =
        (Host::new(), ScriptedBranch::default(), LocalMailbox::new(1));
    host.attach(ONE, mailbox.clone());
    host.handle_input(&mut branch, START, opened(ONE));
    (host, branch, mailbox)
}

fn opened(endpoint: EndpointId) -> ToBranch {
    let info = EndpointInfo {
        unique_id: PeerId::SERVER,
        status: ConnectionStatus::Connected,
        relay_supported: true,
        max_packet_size: 1_000,
        outlives_program: false,
    };
    ToBranch::Opened(endpoint, info)
}

fn packets(endpoint: EndpointId, count: usize) -> ToBranch {
    let (mode, channel) = (TransferMode::Reliable, Channel(0));
    let packet = Packet { from: CONNECTION, mode, channel, payload: Bytes::new() };
    ToBranch::Events(endpoint, vec![PeerEvent::Packet(packet); count])
}

fn send() -> ToEndpoint {
    let (mode, channel, prefix) = (TransferMode::Reliable, Channel(0), Prefix::EMPTY);
    let payload = Bytes::new();
    ToEndpoint::Send(vec![OutgoingPacket { to: CONNECTION.into(), mode, channel, prefix, payload }])
}

fn leave(reason: DisconnectReason, close_mode: CloseMode) -> ToEndpoint {
    ToEndpoint::Leave { reason, close_mode }
}

fn drained(mailbox: &LocalMailbox<ToEndpoint>) -> Vec<ToEndpoint> {
    std::iter::from_fn(|| mailbox.pop()).collect()
}

#[test]
fn delivery_to_a_full_mailbox_is_retried() {
    let (mut host, mut branch, mailbox) = hosted();
    branch.queue.extend([(ONE, send()), (ONE, leave(DisconnectReason::Closed, CloseMode::Drain))]);
    let retry = ControlFlow::Continue(Some(START + DELIVERY_RETRY));
    assert_eq!(host.turn(&mut branch, START), retry);
    assert_eq!(host.stats().blocked_turns, 1);
    assert_eq!(drained(&mailbox), [send()]);
    assert_eq!(host.turn(&mut branch, START + DELIVERY_RETRY), ControlFlow::Continue(None));
    assert_eq!(drained(&mailbox), [leave(DisconnectReason::Closed, CloseMode::Drain)]);
    assert_eq!(host.stats().blocked_turns, 1);
}

#[test]
fn turn_runs_after_a_bounded_amount_of_input() {
    let (mut host, mut branch, _) = hosted();
    assert_eq!(host.turn(&mut branch, START), ControlFlow::Continue(None));
    assert!(!host.has_input());
    host.handle_input(&mut branch, START, packets(ONE, WORK_PER_TURN - 1));
    assert!(host.has_input() && !host.needs_turn(&branch, START));
    host.record_call();
    assert!(host.needs_turn(&branch, START));
    let _ = host.turn(&mut branch, START);
    assert!(!host.has_input() && !host.needs_turn(&branch, START));
    for _ in 0..WORK_PER_TURN / MESSAGE_WORK {
        assert!(!host.needs_turn(&branch, START));
        host.handle_input(&mut branch, START, packets(ONE, 1));
    }
    assert!(host.needs_turn(&branch, START), "small messages count as MESSAGE_WORK");
}

#[test]
fn congested_branch_handles_no_input_until_the_stall_timeout() {
    let (mut host, mut branch, _) = hosted();
    branch.queued_packets = QUEUED_PACKETS_HIGH - 1;
    assert!(!host.is_congested(&branch, START));
    branch.queued_packets = QUEUED_PACKETS_HIGH;
    assert!(host.needs_turn(&branch, START), "a turn delivers before more input");
    let _ = host.turn(&mut branch, START);
    let just_before = START + (STALL_TIMEOUT - Duration::from_micros(1));
    assert!(host.is_congested(&branch, just_before));
    branch.queued_packets += 1;
    let _ = host.turn(&mut branch, just_before);
    assert!(!host.is_congested(&branch, START + STALL_TIMEOUT), "the endpoint hangs");
}

#[test]
fn time_in_which_the_process_was_stopped_does_not_end_the_congestion() {
    let (mut host, mut branch, _) = hosted();
    branch.queued_packets = QUEUED_PACKETS_HIGH;
    let _ = host.turn(&mut branch, START);
    let resumed = START + STALL_TIMEOUT * 2;
    assert!(host.is_congested(&branch, resumed));
    let _ = host.turn(&mut branch, resumed);
    assert!(host.is_congested(&branch, resumed + STALL_TIMEOUT / 2));
    assert!(!host.is_congested(&branch, resumed + STALL_TIMEOUT));
}

#[test]
fn progress_of_a_congested_branch_restarts_the_stall_timeout() {
    let (mut host, mut branch, _) = hosted();
    branch.queued_packets = QUEUED_PACKETS_HIGH + 1;
    let _ = host.turn(&mut branch, START);
    branch.queued_packets = QUEUED_PACKETS_HIGH;
    let later = START + STALL_TIMEOUT / 2;
    let _ = host.turn(&mut branch, later);
    assert!(host.is_congested(&branch, START + STALL_TIMEOUT));
    assert!(!host.is_congested(&branch, later + STALL_TIMEOUT));
    branch.queued_packets = QUEUED_PACKETS_HIGH - 1;
    let _ = host.turn(&mut branch, later);
    assert!(!host.is_congested(&branch, later));
}

#[test]
fn abandoned_endpoint_receives_leave_although_its_mailbox_is_full() {
    let (mut host, mut branch, mailbox) = hosted();
    host.attach(TWO, LocalMailbox::new(1));
    branch.queue.extend([(ONE, send()), (ONE, send())]);
    let _ = host.turn(&mut branch, START);
    branch.queue.clear();
    branch.abandoned.push_back(ONE);
    let _ = host.turn(&mut branch, START);
    assert_eq!(
        drained(&mailbox),
        [send(), leave(DisconnectReason::QueueFull, CloseMode::Immediate)]
    );
    assert_eq!(host.next_event(), Some(HostEvent::EndpointAbandoned(ONE)));
    assert_eq!((host.next_event(), host.stats().abandoned_endpoints), (None, 1));
    host.leave_all(DisconnectReason::Closed);
    assert_eq!(drained(&mailbox), [], "`Leave` is sent once");
}

#[test]
fn events_of_an_abandoned_endpoint_are_dropped_until_it_closes() {
    let (mut host, mut branch, _) = hosted();
    branch.abandoned.push_back(ONE);
    let _ = host.turn(&mut branch, START);
    branch.received.clear();
    host.handle_input(&mut branch, START, packets(ONE, 2));
    assert_eq!(host.stats().late_events, 2);
    let closed = ToBranch::Closed(ONE, DisconnectReason::QueueFull);
    host.handle_input(&mut branch, START, closed.clone());
    assert_eq!(branch.received, [closed]);
    let end = BranchEnd::Disconnected(DisconnectReason::QueueFull);
    assert_eq!(host.turn(&mut branch, START), ControlFlow::Break(end));
}

#[test]
fn branch_ends_with_its_last_endpoint() {
    let (mut host, mut branch, _) = hosted();
    host.attach(TWO, LocalMailbox::new(1));
    host.handle_input(&mut branch, START, ToBranch::Closed(ONE, DisconnectReason::Timeout));
    assert_eq!(host.turn(&mut branch, START), ControlFlow::Continue(None));
    host.handle_input(&mut branch, START, ToBranch::Closed(TWO, DisconnectReason::Remote(0)));
    let end = BranchEnd::Disconnected(DisconnectReason::Remote(0));
    assert_eq!(host.turn(&mut branch, START), ControlFlow::Break(end));
}

#[test]
fn branch_without_endpoints_continues() {
    let (mut host, mut branch) = (Host::new(), ScriptedBranch::default());
    assert_eq!(host.turn(&mut branch, START), ControlFlow::Continue(None));
    host.close(&mut branch, START);
    assert_eq!(host.turn(&mut branch, START), ControlFlow::Break(BranchEnd::Closed));
}

#[test]
fn close_leaves_endpoints_that_have_not_opened_yet() {
    let (mut host, mut branch, known) = hosted();
    let (early, late) = (LocalMailbox::new(1), LocalMailbox::new(1));
    host.attach(TWO, early.clone());
    host.close(&mut branch, START);
    host.attach(EndpointId(4), late.clone());
    assert!(branch.was_closed && host.is_closing());
    let expected = [leave(DisconnectReason::Closed, CloseMode::Drain)];
    assert_eq!(drained(&early), expected);
    assert_eq!(drained(&late), expected);
    assert_eq!(drained(&known), [], "the branch itself sends `Leave` after its queued messages");
}

#[test]
fn close_takes_at_most_its_timeout() {
    let (mut host, mut branch, _) = hosted();
    host.close(&mut branch, START);
    host.close(&mut branch, START + Duration::from_secs(1));
    assert_eq!(timed_out_at(&mut host, &mut branch, START), START + CLOSE_TIMEOUT);
}

#[test]
fn time_in_which_the_process_was_stopped_does_not_time_out_a_closing_branch() {
    let (mut host, mut branch, _) = hosted();
    host.close(&mut branch, START);
    let _ = host.turn(&mut branch, START);
    let resumed = START + CLOSE_TIMEOUT * 2;
    let end = timed_out_at(&mut host, &mut branch, resumed);
    assert!(end > resumed + CLOSE_TIMEOUT / 2 && end <= resumed + CLOSE_TIMEOUT, "{end:?}");
}

/// Runs turns from `now` until the branch times out. Returns the time of the last turn.
fn timed_out_at(host: &mut Host, branch: &mut ScriptedBranch, mut now: Instant) -> Instant {
    loop {
        match host.turn(branch, now) {
            ControlFlow::Continue(next) => now = next.expect("a turn of the closing branch"),
            ControlFlow::Break(end) => {
                assert_eq!(end, BranchEnd::TimedOut);
                return now;
            }
        }
    }
}

#[test]
fn closed_branch_ends_when_its_endpoints_have_closed() {
    let (mut host, mut branch, _) = hosted();
    host.close(&mut branch, START);
    host.handle_input(&mut branch, START, ToBranch::Closed(ONE, DisconnectReason::Closed));
    assert_eq!(host.turn(&mut branch, START), ControlFlow::Break(BranchEnd::Closed));
}
