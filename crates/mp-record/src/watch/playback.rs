//! [`Playback`]: the position in a recording, and what the recorded client has at that time.

use std::time::Duration;

use bytes::Bytes;
use mp_core::{
    Channel, ConnectionId, EndpointId, PeerEvent, PeerId, ToBranch, ToEndpoint, TransferMode,
};

use super::WatchedReplay;
use super::seen::Seen;
use super::view::View;
use crate::RecordingError;

/// Plays a recording from its start.
#[derive(Debug)]
pub(super) struct Playback {
    replay: WatchedReplay,
    /// The recorded client whose packets are shown.
    viewpoint: PeerId,
    view: View,
    time: Duration,
    is_finished: bool,
}

/// A part of what watchers see.
#[derive(Debug)]
pub(super) enum Shown {
    AddPeer(PeerId),
    RemovePeer(PeerId),
    Packet { author: PeerId, mode: (TransferMode, Channel), packet: Bytes },
}

/// Number of frames that are played in a turn of the room, so that a seek does not delay it.
const FRAMES_PER_TURN: usize = 512;

impl Playback {
    pub(super) fn new(replay: WatchedReplay, viewpoint: PeerId) -> Self {
        let mut view = View::default();
        if let Some(start) = replay.start_views().iter().find(|view| view.client == viewpoint) {
            start.peers.iter().for_each(|&peer| view.add_peer(peer));
            for (author, packet) in &start.packets {
                view.receive(*author, &Bytes::copy_from_slice(packet));
            }
        }
        Self { replay, viewpoint, view, time: Duration::ZERO, is_finished: false }
    }

    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// Returns the time of the last frame that was played.
    pub(super) fn time(&self) -> Duration {
        self.time
    }

    pub(super) fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Plays up to `to`, and passes what changes to `show`. Returns false if more has to be played
    /// in another turn.
    pub(super) fn advance(
        &mut self,
        to: Duration,
        show: &mut dyn FnMut(Shown),
    ) -> Result<bool, RecordingError> {
        for _ in 0..FRAMES_PER_TURN {
            match self.replay.next_time() {
                Some(next) if next <= to => self.step(show)?,
                Some(_) => return Ok(true),
                None => {
                    self.is_finished = true;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn step(&mut self, show: &mut dyn FnMut(Shown)) -> Result<(), RecordingError> {
        let before = self.connection();
        for (mode, packet) in self.sent(before) {
            self.announce(mode, &packet, show);
        }
        let mut received = Vec::new();
        let stepped = self.replay.step(&mut |endpoint, output| {
            let ToEndpoint::Send(packets) = output else { return };
            let Some((_, connection)) = before.filter(|(of, _)| *of == endpoint) else { return };
            let of_viewpoint = packets.iter().filter(|it| it.to.as_slice().contains(&connection));
            received.extend(of_viewpoint.map(|it| ((it.mode, it.channel), it.joined())));
        });
        for (mode, packet) in received {
            self.receive(mode, &packet, show);
        }
        if let Some(time) = stepped? {
            self.time = time;
        }
        match (before, self.connection()) {
            (None, Some(_)) => self.add_peer(self.viewpoint, show),
            (Some(_), None) => self.leave(show),
            _ => {}
        }
        Ok(())
    }

    fn connection(&mut self) -> Option<(EndpointId, ConnectionId)> {
        self.replay.machine().scene().multiplayer().connection(self.viewpoint)
    }

    /// Returns the packets that the recorded client sends in the next frame.
    fn sent(
        &self,
        connection: Option<(EndpointId, ConnectionId)>,
    ) -> Vec<((TransferMode, Channel), Bytes)> {
        let (Some((endpoint, connection)), Some(ToBranch::Events(from, events))) =
            (connection, self.replay.next_input())
        else {
            return Vec::new();
        };
        let events = events.iter().filter(|_| *from == endpoint);
        let packets = events.filter_map(|event| match event {
            PeerEvent::Packet(packet) if packet.from == connection => {
                Some(((packet.mode, packet.channel), packet.payload.clone()))
            }
            _ => None,
        });
        packets.collect()
    }

    /// Shows a packet that the recorded client sends: of its own nodes, and to all others.
    fn announce(
        &mut self,
        mode: (TransferMode, Channel),
        packet: &Bytes,
        show: &mut dyn FnMut(Shown),
    ) {
        if let Some(seen) = Seen::sent(self.viewpoint, packet) {
            self.show(mode, seen, show);
        }
    }

    /// Shows a packet that the recorded client receives.
    fn receive(
        &mut self,
        mode: (TransferMode, Channel),
        packet: &Bytes,
        show: &mut dyn FnMut(Shown),
    ) {
        if let Some(seen) = Seen::received(packet) {
            self.show(mode, seen, show);
        }
    }

    fn show(&mut self, mode: (TransferMode, Channel), seen: Seen, show: &mut dyn FnMut(Shown)) {
        match seen {
            Seen::AddPeer(peer) => self.add_peer(peer, show),
            Seen::RemovePeer(peer) => {
                self.view.remove_peer(peer);
                show(Shown::RemovePeer(peer));
            }
            Seen::Packet(author, packet) => {
                self.view.receive(author, &packet);
                show(Shown::Packet { author, mode, packet });
            }
        }
    }

    fn add_peer(&mut self, peer: PeerId, show: &mut dyn FnMut(Shown)) {
        self.view.add_peer(peer);
        show(Shown::AddPeer(peer));
    }

    /// Removes all that the recorded client had: it has left.
    fn leave(&mut self, show: &mut dyn FnMut(Shown)) {
        let removals: Vec<_> = self.view.removals().collect();
        for (author, packet) in removals {
            let mode = (TransferMode::Reliable, Channel(0));
            show(Shown::Packet { author, mode, packet });
        }
        self.view.peers().for_each(|peer| show(Shown::RemovePeer(peer)));
        self.view = View::default();
    }
}
