//! Lower bound of the machine: datagrams without a protocol, received by recvmmsg and sent by
//! sendmmsg with segmentation offload. Each source address is a client; its first datagram is sent
//! back. Messages of a round to the same client share datagrams, as those of a turn of ENet do.
//! Dropped messages are counted.

use std::collections::HashMap;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use mp_bench_common::floor::{ACKNOWLEDGEMENT, datagram_len};
use mp_bench_common::{answer_marks, ready};
use mp_bench_forward::Forward;
use mp_udp::{DatagramSocket, SendBatch, Transmit, UdpSocket};
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::json;

#[derive(Debug, Parser)]
struct Args {
    /// Receivers of a datagram
    pass: Forward,
    /// Size of a message in bytes
    #[arg(long)]
    size: usize,
    /// Minimum time between two rounds in ms
    #[arg(long, default_value_t = 0)]
    interval: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let mut socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let received = Arc::new(AtomicU64::new(0));
    let mut clients = Clients::new(&args, Arc::clone(&received));
    answer_marks(move || match args.pass {
        // Without deliveries the load counts nothing.
        Forward::Drop => json!({ "operations": received.load(Ordering::Relaxed) }),
        _ => json!({}),
    });
    ready(socket.local_addr()?.port());

    let mut batch = SendBatch::with_capacity(BATCH_BYTES);
    let mut next_round = Instant::now();
    loop {
        poll(&mut [PollFd::new(&socket, PollFlags::IN)], None)?;
        thread::sleep(next_round.saturating_duration_since(Instant::now()));
        next_round = Instant::now() + Duration::from_millis(args.interval);
        loop {
            let is_drained = socket.try_recv_batch(DATAGRAMS, &mut |path, datagram| {
                clients.received(path.remote, datagram);
            })?;
            clients.send(&mut socket, &mut batch)?;
            if is_drained {
                break;
            }
        }
    }
}

/// The clients, in order of their first datagrams.
struct Clients {
    pass: Forward,
    /// Bytes of a message.
    size: usize,
    /// Bytes of the messages that fit in a datagram.
    segment: usize,
    /// Number of messages received.
    received: Arc<AtomicU64>,
    clients: Vec<Client>,
    indexes: HashMap<SocketAddr, usize>,
    /// Clients with queued messages.
    queued: Vec<usize>,
}

struct Client {
    address: SocketAddr,
    /// Queued messages.
    bytes: Vec<u8>,
}

impl Clients {
    fn new(args: &Args, received: Arc<AtomicU64>) -> Self {
        Self {
            pass: args.pass,
            size: args.size,
            segment: datagram_len(args.size),
            received,
            clients: Vec::new(),
            indexes: HashMap::new(),
            queued: Vec::new(),
        }
    }

    /// Queues the messages of a datagram for their receivers.
    fn received(&mut self, from: SocketAddr, datagram: &[u8]) {
        if datagram.starts_with(&ACKNOWLEDGEMENT) {
            return;
        }
        let Some(&from) = self.indexes.get(&from) else {
            let index = self.clients.len();
            self.indexes.insert(from, index);
            self.clients.push(Client { address: from, bytes: Vec::new() });
            self.queue(index, datagram);
            return;
        };
        self.received.fetch_add((datagram.len() / self.size) as u64, Ordering::Relaxed);
        for to in self.pass.targets(from, self.clients.len()) {
            self.queue(to, datagram);
        }
    }

    fn queue(&mut self, to: usize, messages: &[u8]) {
        let bytes = &mut self.clients[to].bytes;
        if bytes.is_empty() {
            self.queued.push(to);
        }
        bytes.extend_from_slice(messages);
    }

    /// Sends the queued messages.
    fn send(&mut self, socket: &mut UdpSocket, batch: &mut SendBatch) -> std::io::Result<()> {
        for index in self.queued.drain(..) {
            let Client { address, bytes } = &mut self.clients[index];
            for datagrams in bytes.chunks(self.segment * SEGMENTS) {
                let len = datagrams.len();
                if batch.room(len).is_none() {
                    socket.try_send_batch(batch)?;
                }
                let room = batch.room(len).expect("an empty batch has room");
                room[..len].copy_from_slice(datagrams);
                let segment_size = (len > self.segment).then_some(self.segment);
                batch.push(Transmit { to: *address, from: None, len, segment_size });
            }
            bytes.clear();
        }
        socket.try_send_batch(batch)
    }
}

/// Datagrams of a system call.
const DATAGRAMS: usize = 32;
/// Bytes of the datagrams that are sent at once.
const BATCH_BYTES: usize = 1 << 16;
/// Datagrams to one client in a system call.
const SEGMENTS: usize = 32;
