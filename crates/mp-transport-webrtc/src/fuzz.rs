//! Bodies of this crate's fuzz targets, and [`RawPeer`], which tests share. Each body accepts any
//! bytes and panics if a property does not hold. See `fuzz/` in the repository.

mod raw_peer;
mod sctp;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mp_core::fuzz::pieces;
use mp_core::{Instant, MultiplayerPeer, PeerId};

pub use self::raw_peer::RawPeer;
use crate::candidate::{self, CandidatePolicy};
use crate::io::DatagramSocket;
use crate::limits::{CANDIDATE_BYTES_MAX, CONNECT_TIMEOUT};
use crate::{SdpKind, Signal, WebRtcMultiplayerPeer, WebRtcOptions};

/// Applies the input as an offer, and as the answer to an offer. A connection that is not
/// established ends within [`CONNECT_TIMEOUT`].
pub fn session_description(data: &[u8]) {
    let sdp = String::from_utf8_lossy(data);
    for kind in [SdpKind::Offer, SdpKind::Answer] {
        let mut world = World::new(false);
        if kind == SdpKind::Answer {
            world.server.create_offer(CLIENT).expect("a new connection");
        }
        let is_applied = world.server.set_remote_description(CLIENT, kind, &sdp).is_ok();
        let signals = std::iter::from_fn(|| world.server.next_signal());
        let has_answered = signals.into_iter().any(|signal| {
            matches!(signal, Signal::SessionDescriptionCreated { kind: SdpKind::Answer, .. })
        });
        assert_eq!(has_answered, is_applied && kind == SdpKind::Offer);
        for _ in 0..=CONNECT_TIMEOUT.as_secs() {
            world.pass(Duration::from_secs(1));
        }
        let is_new = kind == SdpKind::Offer && !is_applied;
        assert!(!world.server.has_peer(CLIENT) || is_new);
    }
}

/// Parses the input as a candidate. Its text parses as the same address.
pub fn ice_candidate(data: &[u8]) {
    let name = String::from_utf8_lossy(data);
    let any = candidate::parse(&name, CandidatePolicy::Any);
    let public = candidate::parse(&name, CandidatePolicy::Public);
    assert!(any.is_ok() || public.is_err());
    if let Ok(parsed) = any {
        assert!(name.trim().len() <= CANDIDATE_BYTES_MAX);
        let address = parsed.addr();
        assert!(address.port() != 0 && !address.ip().is_multicast());
        let again = candidate::parse(&parsed.to_sdp_string(), CandidatePolicy::Any);
        assert_eq!(again.map(|candidate| candidate.addr()), Ok(address));
    }
}

/// Passes the pieces of the input to a server as datagrams. The first byte of a piece selects the
/// source and the time that passes before: an unknown address, or the address of a client that has
/// sent its connectivity check, before or after its DTLS handshake. The server is the DTLS server,
/// and then the DTLS client.
pub fn webrtc_datagram(data: &[u8]) {
    receive_datagrams(World::new(true), data);
    let mut world = World::new(true);
    world.client.set_passive(world.now);
    receive_datagrams(world, data);
}

fn receive_datagrams(mut world: World, data: &[u8]) {
    world.answer();
    let is_early = pieces(data).next().is_some_and(|piece| piece.first() == Some(&EARLY));
    if !is_early {
        world.client.check();
        world.exchange();
    }
    let mut pieces = pieces(data).peekable();
    if pieces.peek().is_some_and(|piece| piece.first() == Some(&SECURED)) {
        world.connect();
    }
    for piece in pieces {
        let Some((&first, datagram)) = piece.split_first() else { continue };
        let from = if first & 1 == 0 { UNKNOWN_ADDRESS } else { CLIENT_ADDRESS };
        world.wire.deliver(from, datagram.to_vec());
        world.pass(Duration::from_millis(u64::from(first >> 1) * 8));
    }
    world.client.check();
    world.exchange();
}

/// Passes the pieces of the input to a server as the chunks of SCTP packets of a connected client.
pub fn sctp_chunks(data: &[u8]) {
    let mut world = World::new(true);
    world.answer();
    world.client.check();
    world.exchange();
    world.connect();
    world.client.associate();
    world.exchange();
    assert!(world.client.is_associated());
    for piece in pieces(data) {
        let Some((&first, chunks)) = piece.split_first() else { continue };
        world.client.send_chunks(&chunks[..chunks.len().min(1_100)]);
        world.pass(Duration::from_millis(u64::from(first) * 4));
        world.exchange();
    }
}

/// The first byte of an input of [`webrtc_datagram`] for which DTLS is complete.
const SECURED: u8 = 0xff;
/// The first byte of an input for which the connectivity check is sent last.
const EARLY: u8 = 0xfd;

const CLIENT: PeerId = match PeerId::new(2) {
    Some(id) => id,
    None => unreachable!(),
};
const CLIENT_ADDRESS: SocketAddr = address(2);
const UNKNOWN_ADDRESS: SocketAddr = address(3);

const fn address(number: u8) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, number)), 1_000)
}

/// A server, and a client that it knows.
struct World {
    now: Instant,
    wire: Wire,
    server: WebRtcMultiplayerPeer<Wire>,
    client: RawPeer,
}

impl World {
    fn new(ice_lite: bool) -> Self {
        let now = Instant::from_millis(1_000);
        let wire = Wire::default();
        let options = WebRtcOptions::default().ice_lite(ice_lite);
        let mut server = WebRtcMultiplayerPeer::server(wire.clone(), options).expect("a server");
        server.poll(now);
        server.add_peer(CLIENT, 1).expect("a new peer");
        Self { now, wire, server, client: RawPeer::new(now) }
    }

    /// Lets the server answer the client's offer.
    fn answer(&mut self) {
        let offer = self.client.offer();
        let set = self.server.set_remote_description(CLIENT, SdpKind::Offer, &offer);
        set.expect("a usable offer");
        let Some(Signal::SessionDescriptionCreated { sdp, .. }) = self.server.next_signal() else {
            panic!("no answer")
        };
        self.client.set_answer(&sdp);
    }

    /// Completes the DTLS handshake.
    fn connect(&mut self) {
        self.client.handle_timeout(self.now);
        self.exchange();
        assert!(self.client.is_secured());
    }

    /// Exchanges datagrams until neither has any to send. No time passes.
    fn exchange(&mut self) {
        for _ in 0..EXCHANGES_MAX {
            while let Some(datagram) = self.client.next_datagram() {
                self.wire.deliver(CLIENT_ADDRESS, datagram);
            }
            self.server.poll(self.now);
            self.server.flush(self.now);
            while self.server.next_event().is_some() {}
            let sent = self.wire.take();
            if sent.is_empty() {
                return;
            }
            for (to, datagram) in sent {
                if to == CLIENT_ADDRESS {
                    self.client.handle_datagram(&datagram);
                }
            }
        }
        panic!("they reply to each other forever");
    }

    /// Runs the server after `time`.
    fn pass(&mut self, time: Duration) {
        self.now += time;
        for _ in 0..TURNS_MAX {
            self.server.poll(self.now);
            while self.server.next_event().is_some() {}
            self.server.flush(self.now);
            for (to, datagram) in self.wire.take() {
                if to == CLIENT_ADDRESS {
                    self.client.handle_datagram(&datagram);
                }
            }
            if self.server.poll_timeout().is_none_or(|next| next > self.now) {
                return;
            }
        }
        panic!("the next turn is always due immediately");
    }
}

/// Turns without passing time.
const TURNS_MAX: usize = 20;

/// Rounds of an exchange. A handshake needs far fewer.
const EXCHANGES_MAX: usize = 1_000;

/// Datagrams to and from a server.
#[derive(Clone, Debug, Default)]
struct Wire(Rc<RefCell<WireState>>);

#[derive(Debug, Default)]
struct WireState {
    received: VecDeque<(SocketAddr, Vec<u8>)>,
    sent: Vec<(SocketAddr, Vec<u8>)>,
}

impl Wire {
    fn deliver(&self, from: SocketAddr, datagram: Vec<u8>) {
        self.0.borrow_mut().received.push_back((from, datagram));
    }

    fn take(&self) -> Vec<(SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.0.borrow_mut().sent)
    }
}

impl DatagramSocket for Wire {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.0.borrow_mut().sent.push((to, datagram.to_vec()));
        Ok(())
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let next = self.0.borrow_mut().received.pop_front();
        let (from, datagram) = next.ok_or(ErrorKind::WouldBlock)?;
        let len = datagram.len().min(buf.len());
        buf[..len].copy_from_slice(&datagram[..len]);
        Ok((len, from))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(address(1))
    }
}
