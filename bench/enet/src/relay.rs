//! Lower bound of a relay that coalesces: datagrams without a protocol, all received by recvmmsg
//! and sent by sendmmsg once per interval. Each source address is a client. Its first datagram is
//! sent back, the others to the client that came after it.

use std::collections::HashMap;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use clap::Parser;
use mp_bench_common::{answer_marks, ready};
use mp_udp::{DatagramSocket, SendBatch, Transmit, UdpSocket};
use serde_json::json;

#[derive(Debug, Parser)]
struct Args {
    /// Time between two rounds in ms
    #[arg(long)]
    interval: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Args { interval } = Args::parse();
    let mut socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    answer_marks(|| json!({}));
    ready(socket.local_addr()?.port());

    let mut clients: Vec<SocketAddr> = Vec::new();
    let mut indexes = HashMap::new();
    let mut batch = SendBatch::with_capacity(BATCH_BYTES);
    loop {
        thread::sleep(Duration::from_millis(interval));
        loop {
            let is_drained = socket.try_recv_batch(DATAGRAMS, &mut |path, datagram| {
                let from = path.remote;
                match indexes.get(&from) {
                    Some(&index) => {
                        let next: usize = index + 1;
                        queue(&mut batch, clients[next % clients.len()], datagram);
                    }
                    None => {
                        indexes.insert(from, clients.len());
                        clients.push(from);
                        queue(&mut batch, from, datagram);
                    }
                }
            })?;
            socket.try_send_batch(&mut batch)?;
            if is_drained {
                break;
            }
        }
    }
}

/// Queues a copy of `datagram`.
fn queue(batch: &mut SendBatch, to: SocketAddr, datagram: &[u8]) {
    let room = batch.room(datagram.len()).expect("a round has less than the batch");
    room[..datagram.len()].copy_from_slice(datagram);
    batch.push(Transmit { to, from: None, len: datagram.len(), segment_size: None });
}

/// Datagrams of a system call.
const DATAGRAMS: usize = 32;
/// Bytes of these datagrams, if all are as long as possible.
const BATCH_BYTES: usize = DATAGRAMS * 2_048;
