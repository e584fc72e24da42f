//! No protocol: packets of a constant length share datagrams. The first datagram of each client
//! makes it known to the server.

use std::collections::VecDeque;
use std::error::Error;
use std::net::UdpSocket;

use bytes::Bytes;
use mp_bench_common::floor::{ACKNOWLEDGEMENT, datagram_len};

use super::socket::{receive_now, send_now};
use super::transport::{Transport, TransportEvent};

pub(super) struct DatagramTransport {
    socket: UdpSocket,
    packets: Packets,
    is_connected: bool,
    outgoing: Vec<u8>,
    events: VecDeque<TransportEvent>,
    buffer: Box<[u8]>,
}

/// Packets of a transport without a protocol.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Packets {
    /// Length in bytes.
    pub(crate) len: usize,
    /// True if each received datagram is answered by one of the length of its acknowledgements.
    pub(crate) are_acknowledged: bool,
}

impl DatagramTransport {
    pub(super) fn new(socket: UdpSocket, packets: Packets) -> Self {
        Self {
            socket,
            packets,
            is_connected: false,
            outgoing: Vec::new(),
            events: VecDeque::new(),
            buffer: vec![0; 2_048].into(),
        }
    }
}

impl Transport for DatagramTransport {
    fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    fn connect(&mut self, _: u64) -> Result<(), Box<dyn Error>> {
        send_now(&self.socket, b"hello")
    }

    fn receive(&mut self, _: u64, most: usize) -> Result<(), Box<dyn Error>> {
        for _ in 0..most {
            let Some(len) = receive_now(&self.socket, &mut self.buffer)? else { break };
            if !std::mem::replace(&mut self.is_connected, true) {
                self.events.push_back(TransportEvent::Connected);
                continue;
            }
            let packets = self.buffer[..len].chunks(self.packets.len);
            if self.packets.are_acknowledged {
                let mut datagram = vec![0; packets.len() * ACKNOWLEDGEMENT_LEN];
                datagram[..ACKNOWLEDGEMENT.len()].copy_from_slice(&ACKNOWLEDGEMENT);
                send_now(&self.socket, &datagram)?;
            }
            let packets =
                packets.map(|packet| TransportEvent::Packet(Bytes::copy_from_slice(packet)));
            self.events.extend(packets);
        }
        Ok(())
    }

    fn next_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    fn send(&mut self, packet: Bytes, _: bool) {
        self.outgoing.extend_from_slice(&packet);
    }

    fn flush(&mut self, _: u64) -> Result<(), Box<dyn Error>> {
        let datagrams = self.outgoing.chunks(datagram_len(self.packets.len));
        datagrams.into_iter().try_for_each(|datagram| send_now(&self.socket, datagram))?;
        self.outgoing.clear();
        Ok(())
    }

    fn run_timers(&mut self, _: u64) -> Result<(), Box<dyn Error>> {
        Ok(())
    }
}

/// Length of an acknowledgement of ENet in bytes.
const ACKNOWLEDGEMENT_LEN: usize = 8;
