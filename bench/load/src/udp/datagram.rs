//! No protocol: a packet is a datagram. The first one of each client makes it known to the server.

use std::collections::VecDeque;
use std::error::Error;
use std::net::UdpSocket;

use bytes::Bytes;

use super::socket::{receive_now, send_now};
use super::transport::{Transport, TransportEvent};

pub(super) struct DatagramTransport {
    socket: UdpSocket,
    is_connected: bool,
    outgoing: Vec<Bytes>,
    events: VecDeque<TransportEvent>,
    buffer: Box<[u8]>,
}

impl DatagramTransport {
    pub(super) fn new(socket: UdpSocket) -> Self {
        Self {
            socket,
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
            self.events.push_back(if std::mem::replace(&mut self.is_connected, true) {
                TransportEvent::Packet(Bytes::copy_from_slice(&self.buffer[..len]))
            } else {
                TransportEvent::Connected
            });
        }
        Ok(())
    }

    fn next_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    fn send(&mut self, packet: Bytes, _: bool) {
        self.outgoing.push(packet);
    }

    fn flush(&mut self, _: u64) -> Result<(), Box<dyn Error>> {
        self.outgoing.drain(..).try_for_each(|packet| send_now(&self.socket, &packet))
    }

    fn run_timers(&mut self, _: u64) -> Result<(), Box<dyn Error>> {
        Ok(())
    }
}
