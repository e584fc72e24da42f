//! The clients of the process, which are polled together.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::time::Timespec;

use super::client::Client;
use super::datagram::Packets;
use super::dialect::Dialect;
use super::transport::TransportKind;

/// Clients by index.
pub(crate) struct ClientSet {
    clients: Vec<Client>,
    epoll: OwnedFd,
    ready: Vec<epoll::Event>,
    /// Number of clients that have started to connect.
    begun: usize,
    timers_interval: u64,
    next_timers: u64,
}

impl ClientSet {
    /// Returns clients that are not connected yet. `timers_interval`: time in nanoseconds between
    /// two checks of all timers, which take CPU time for thousands of clients.
    pub(crate) fn new(clients: Vec<Client>, timers_interval: u64) -> Result<Self, Box<dyn Error>> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (index, client) in (0..).zip(&clients) {
            epoll::add(
                &epoll,
                client.socket(),
                epoll::EventData::new_u64(index),
                epoll::EventFlags::IN,
            )?;
        }
        let ready = Vec::with_capacity(512);
        Ok(Self { clients, epoll, ready, begun: 0, timers_interval, next_timers: 0 })
    }

    /// Returns `count` clients of Godot's ENet for the server at `port` of this machine.
    pub(crate) fn of_godot(
        port: u16,
        count: u16,
        timers_interval: u64,
    ) -> Result<Self, Box<dyn Error>> {
        let server: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
        let client = |index| {
            let (kind, packets) = (TransportKind::Enet, Packets::default());
            Client::new(server, index, kind, Dialect::Godot, 255, None, packets)
        };
        Self::new((0..count).map(client).collect::<Result<_, _>>()?, timers_interval)
    }

    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    pub(crate) fn get(&mut self, index: usize) -> &mut Client {
        &mut self.clients[index]
    }

    pub(crate) fn all(&mut self) -> &mut [Client] {
        &mut self.clients
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Client> {
        self.clients.iter()
    }

    /// Connects the next clients, so that at most `at_a_time` are connecting.
    pub(crate) fn connect_next(
        &mut self,
        at_a_time: usize,
        now: u64,
    ) -> Result<(), Box<dyn Error>> {
        if self.begun == self.clients.len() {
            return Ok(());
        }
        let connected = self.clients[..self.begun].iter().filter(|it| it.is_connected()).count();
        while self.begun < self.clients.len().min(connected + at_a_time) {
            self.clients[self.begun].connect(now)?;
            self.begun += 1;
        }
        Ok(())
    }

    /// Waits for input, up to `nap`. Returns the number of clients that have some, see
    /// [`ready`](Self::ready).
    pub(crate) fn wait(&mut self, nap: &Timespec) -> Result<usize, Box<dyn Error>> {
        self.ready.clear();
        epoll::wait(&self.epoll, spare_capacity(&mut self.ready), Some(nap))?;
        Ok(self.ready.len())
    }

    /// Returns the index of a client that had input in the last [`wait`](Self::wait).
    pub(crate) fn ready(&self, at: usize) -> usize {
        self.ready[at].data.u64() as usize
    }

    /// Runs the timers of all clients, if the interval has passed.
    pub(crate) fn run_timers(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        if now < self.next_timers {
            return Ok(());
        }
        self.next_timers = now + self.timers_interval;
        self.clients.iter_mut().try_for_each(|client| client.run_timers(now))
    }
}

/// Does not wait.
pub(crate) const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
