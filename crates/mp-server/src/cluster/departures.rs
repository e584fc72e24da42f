//! [`Departures`]: guests that were sent their last packet.

use std::collections::VecDeque;

use mp_cluster::{FarLink, Gateways};
use mp_core::limits::LINGER_TIME;
use mp_core::{ConnectionId, DisconnectReason, Instant, OutgoingPacket};

use super::far::FarLinks;

/// Players of other nodes that are disconnected a moment after their last packet, which says why: a
/// Godot client drops a packet that it receives together with the end of its connection.
#[derive(Debug, Default)]
pub(super) struct Departures(VecDeque<(Instant, Departure)>);

/// A player that is about to be disconnected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departure {
    pub(super) link: FarLink,
    pub(super) connection: ConnectionId,
    pub(super) reason: DisconnectReason,
}

impl Departures {
    /// Disconnects a player, after its last packet if there is one.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        gateways: &mut Gateways,
        departure: Departure,
        notice: Option<OutgoingPacket>,
    ) {
        match notice {
            Some(notice) if self.0.len() < DEPARTURES_MAX => {
                FarLinks::send(gateways, departure.link, notice);
                self.0.push_back((now + LINGER_TIME, departure));
            }
            _ => FarLinks::disconnect(gateways, departure),
        }
    }

    /// Disconnects the players whose time is over.
    pub(super) fn handle_timeout(&mut self, now: Instant, gateways: &mut Gateways) {
        while let Some(&(due, departure)) = self.0.front()
            && now >= due
        {
            self.0.pop_front();
            FarLinks::disconnect(gateways, departure);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.0.front().map(|&(due, _)| due)
    }
}

/// Players at the same time. Further ones are disconnected at once, without their packet.
const DEPARTURES_MAX: usize = 4_096;
