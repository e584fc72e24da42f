//! Received datagrams: their connection, and what is refused.

use std::net::SocketAddr;

use super::WebRtcMultiplayerPeer;
use crate::connection::Connection;
use crate::io::{DatagramSocket, NetworkPath};
use crate::limits::DATAGRAM_BYTES_MAX;
use crate::refusal::DatagramRefusal;
use crate::routes::Protocol;

impl<S: DatagramSocket> WebRtcMultiplayerPeer<S> {
    /// Handles a received datagram.
    pub(super) fn handle_datagram(&mut self, path: NetworkPath, datagram: &[u8]) {
        self.stats.received_datagrams += 1;
        self.output.traffic.network_bytes_received += datagram.len() as u64;
        let handled = match Protocol::of(datagram) {
            _ if datagram.len() > DATAGRAM_BYTES_MAX => Err(DatagramRefusal::TooLong),
            Some(Protocol::Stun) => self.handle_stun(path, datagram),
            Some(Protocol::Dtls) => {
                self.handle_dtls(path, datagram);
                Ok(())
            }
            None => Err(DatagramRefusal::UnknownProtocol),
        };
        if let Err(refusal) = handled {
            self.output.refused_datagrams.count(refusal);
        }
    }

    fn handle_stun(&mut self, path: NetworkPath, datagram: &[u8]) -> Result<(), DatagramRefusal> {
        let slot = self.find(path.remote, datagram)?;
        let early = match self.routes.by_address(path.remote) {
            Some(routed) if routed == slot => Vec::new(),
            routed => {
                self.check_route(path.remote, slot, routed)?;
                self.routes.learn(path.remote, slot)
            }
        };
        self.with(slot, |connection, cx| {
            connection.handle_datagram(cx, (path, datagram));
            for datagram in early {
                connection.handle_datagram(cx, (path, &datagram));
            }
        });
        Ok(())
    }

    /// Checks whether the connection of `slot` may use an address, which is that of `routed` until
    /// now. A peer that forges the address of another one must not receive its datagrams.
    fn check_route(
        &self,
        address: SocketAddr,
        slot: usize,
        routed: Option<usize>,
    ) -> Result<(), DatagramRefusal> {
        let other = routed.and_then(|routed| self.connections.at(routed));
        if other.is_some_and(|other| other.uses(address, self.now)) {
            return Err(DatagramRefusal::AddressInUse);
        }
        match self.connections.at(slot).is_some_and(Connection::allows_new_address) {
            true => Ok(()),
            false => Err(DatagramRefusal::TooManyAddresses),
        }
    }

    fn handle_dtls(&mut self, path: NetworkPath, datagram: &[u8]) {
        if let Some(slot) = self.routes.by_address(path.remote) {
            self.with(slot, |connection, cx| connection.handle_datagram(cx, (path, datagram)));
        } else {
            let dropped = self.routes.keep_early(self.now, path.remote, datagram);
            self.output.refused_datagrams.add(DatagramRefusal::UnknownAddress, dropped);
        }
    }

    /// Returns the slot of the connection that accepts a STUN message: the one with its user name
    /// or address. For a response from a new address it is the one that sent the request.
    fn find(&self, from: SocketAddr, datagram: &[u8]) -> Result<usize, DatagramRefusal> {
        let accepts = |&slot: &usize| {
            let connection = self.connections.at(slot);
            connection.is_some_and(|it| it.accepts(&self.clock, self.now, from, datagram))
        };
        let by_user_name = self.routes.by_user_name(datagram)?;
        if let Some(slot) = by_user_name.or_else(|| self.routes.by_address(from)) {
            return Some(slot).filter(accepts).ok_or(DatagramRefusal::RejectedByIce);
        }
        // An ICE-lite peer sends no requests, so it gets no responses.
        let mut slots = self.connections.peers().map(|(_, slot)| slot);
        let requester = if self.options.ice_lite { None } else { slots.find(accepts) };
        requester.ok_or(DatagramRefusal::UnknownConnection)
    }
}
