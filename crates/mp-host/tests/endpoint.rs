//! The host of an endpoint over the memory network: delivery, ended branches, and closing.
#![allow(missing_docs, reason = "a test")]

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use bytes::Bytes;
use mp_core::testing::ScriptedPeer;
use mp_core::{
    BranchId, Channel, CloseMode, ConnectionId, DisconnectReason, Endpoint, EndpointId, Instant,
    MemoryMultiplayerPeer, MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId, Prefix, Readiness,
    ToBranch, ToEndpoint, TransferMode,
};
use mp_host::limits::{DELIVERY_RETRY, WORK_PER_TURN};
use mp_host::{EndpointHost, LocalMailbox, Mailbox, TrySendError};

const ENDPOINT: EndpointId = EndpointId(7);
const LOBBY: BranchId = BranchId(0);
const START: Instant = Instant::from_millis(1_000);

/// A mailbox whose branch may have ended.
#[derive(Clone, Default)]
struct MailboxOfEnded(Rc<RefCell<Option<Vec<ToBranch>>>>);

impl Mailbox<ToBranch> for MailboxOfEnded {
    fn try_send(&self, message: ToBranch) -> Result<(), TrySendError<ToBranch>> {
        match &mut *self.0.borrow_mut() {
            Some(messages) => messages.push(message),
            None => return Err(TrySendError::Closed(message)),
        }
        Ok(())
    }

    fn send_unbounded(&self, message: ToBranch) {
        let _ = self.try_send(message);
    }
}

fn join(endpoint: &Endpoint<MemoryMultiplayerPeer>) -> MemoryMultiplayerPeer {
    endpoint.peer().address().connect(PeerId::new(2).expect("positive"))
}

fn events(peer: &mut MemoryMultiplayerPeer) -> Vec<PeerEvent> {
    peer.poll(START);
    let events = std::iter::from_fn(|| peer.next_event()).collect();
    peer.flush(START);
    events
}

fn outgoing() -> OutgoingPacket {
    let to = ConnectionId { slot: 0, generation: 0 }.into();
    let (mode, channel) = (TransferMode::Reliable, Channel(0));
    OutgoingPacket { to, mode, channel, prefix: Prefix::EMPTY, payload: Bytes::from_static(b"x") }
}

#[test]
fn delivery_to_a_full_mailbox_is_retried() {
    let mut endpoint = Endpoint::new(ENDPOINT, MemoryMultiplayerPeer::server(), LOBBY);
    let (mut host, mailbox) = (EndpointHost::new(), LocalMailbox::new(1));
    host.serve(&mut endpoint, LOBBY, mailbox.clone());
    let _client = join(&endpoint);
    let retry = ControlFlow::Continue(Some(START + DELIVERY_RETRY));
    assert_eq!(host.turn(&mut endpoint, START), retry);
    assert!(matches!(mailbox.pop(), Some(ToBranch::Opened(ENDPOINT, _))));
    assert_ne!(host.turn(&mut endpoint, START), retry);
    assert!(matches!(mailbox.pop(), Some(ToBranch::Events(ENDPOINT, _))));
}

#[test]
fn transport_that_does_not_wake_is_polled_at_its_interval() {
    let mut endpoint = Endpoint::new(ENDPOINT, ScriptedPeer::server(), LOBBY);
    let Readiness::Interval(interval) = endpoint.peer().readiness() else {
        panic!("the default readiness is an interval")
    };
    let mut host = EndpointHost::<LocalMailbox<_>>::new();
    assert_eq!(host.turn(&mut endpoint, START), ControlFlow::Continue(Some(START + interval)));
}

#[test]
fn packet_counts_once_per_receiving_connection() {
    let mut endpoint = Endpoint::new(ENDPOINT, MemoryMultiplayerPeer::server(), LOBBY);
    let mut host = EndpointHost::<LocalMailbox<_>>::new();
    let to = vec![ConnectionId { slot: 0, generation: 0 }; WORK_PER_TURN / 2];
    let packet = OutgoingPacket { to: mp_core::Connections::Many(to.into()), ..outgoing() };
    host.handle_input(&mut endpoint, START, LOBBY, ToEndpoint::Send(vec![packet.clone()]));
    assert!(host.has_input() && !host.needs_turn());
    host.handle_input(&mut endpoint, START, LOBBY, ToEndpoint::Send(vec![packet]));
    assert!(host.needs_turn());
    let _ = host.turn(&mut endpoint, START);
    assert!(!host.has_input() && !host.needs_turn());
}

#[test]
fn branch_that_ended_without_leaving_is_removed_immediately() {
    let mut endpoint = Endpoint::new(ENDPOINT, MemoryMultiplayerPeer::server(), LOBBY);
    let (mut host, mailbox) = (EndpointHost::new(), MailboxOfEnded::default());
    mailbox.0.replace(Some(Vec::new()));
    host.serve(&mut endpoint, LOBBY, mailbox.clone());
    let mut client = join(&endpoint);
    let _ = host.turn(&mut endpoint, START);
    assert!(matches!(events(&mut client)[..], [PeerEvent::Connected { .. }]));
    mailbox.0.replace(None);
    let (connection, _) = (ConnectionId { slot: 0, generation: 0 }, client.send(outgoing()));
    client.flush(START);
    assert_eq!(host.turn(&mut endpoint, START), ControlFlow::Continue(Some(START)));
    let _ = host.turn(&mut endpoint, START);
    let reason = DisconnectReason::Remote(0);
    assert_eq!(events(&mut client), [PeerEvent::Disconnected { connection, reason }]);
    assert_eq!(host.turn(&mut endpoint, START), ControlFlow::Break(()));
}

#[test]
fn endpoint_has_ended_when_its_branches_received_closed() {
    let mut endpoint = Endpoint::new(ENDPOINT, MemoryMultiplayerPeer::server(), LOBBY);
    let (mut host, mailbox) = (EndpointHost::new(), LocalMailbox::new(1));
    host.serve(&mut endpoint, LOBBY, mailbox.clone());
    let (reason, close_mode) = (DisconnectReason::Closed, CloseMode::Drain);
    let leave = ToEndpoint::Leave { reason, close_mode };
    host.handle_input(&mut endpoint, START, LOBBY, leave);
    let retry = ControlFlow::Continue(Some(START + DELIVERY_RETRY));
    assert_eq!(host.turn(&mut endpoint, START), retry, "`Opened` fills the mailbox");
    mailbox.pop();
    assert_eq!(host.turn(&mut endpoint, START), ControlFlow::Break(()));
    assert_eq!(mailbox.pop(), Some(ToBranch::Closed(ENDPOINT, reason)));
    assert!(!host.abort(ENDPOINT), "all branches are notified");
}

#[test]
fn abort_sends_closed_to_full_mailboxes() {
    let mut endpoint = Endpoint::new(ENDPOINT, MemoryMultiplayerPeer::server(), LOBBY);
    let (mut host, mailbox) = (EndpointHost::new(), LocalMailbox::new(1));
    host.serve(&mut endpoint, LOBBY, mailbox.clone());
    let _ = host.turn(&mut endpoint, START);
    assert!(host.abort(ENDPOINT));
    mailbox.pop();
    let closed = ToBranch::Closed(ENDPOINT, DisconnectReason::Closed);
    assert_eq!(mailbox.pop(), Some(closed));
    assert!(!host.abort(ENDPOINT));
}
