//! The socket of a `rusty_enet` host on the virtual network.

use std::io;
use std::net::SocketAddr;

use mp_transport_enet::io::DatagramSocket;
use mp_transport_enet::testing::Socket;
use rusty_enet::{PacketReceived, SocketOptions};

/// A virtual socket that `rusty_enet` uses.
pub(crate) struct Theirs(pub(crate) Socket);

impl rusty_enet::Socket for Theirs {
    type Address = SocketAddr;
    type Error = io::Error;

    fn init(&mut self, _options: SocketOptions) -> Result<(), io::Error> {
        Ok(())
    }

    fn send(&mut self, address: SocketAddr, buffer: &[u8]) -> Result<usize, io::Error> {
        self.0.try_send_to(buffer, address)?;
        Ok(buffer.len())
    }

    fn receive(
        &mut self,
        buffer: &mut [u8; rusty_enet::MTU_MAX],
    ) -> Result<Option<(SocketAddr, PacketReceived)>, io::Error> {
        match self.0.try_recv_from(buffer) {
            Ok((len, from)) => Ok(Some((from, PacketReceived::Complete(len)))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}
