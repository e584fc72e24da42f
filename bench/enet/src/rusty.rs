//! rusty_enet, a Rust translation of the C library, on a socket of the standard library.

use std::error::Error;
use std::net::{Ipv4Addr, UdpSocket};

use clap::Parser;
use mp_bench_common::{answer_marks, ready};
use mp_bench_forward::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rusty_enet::{EventNoRef, Host, HostSettings, PeerID};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = socket.local_addr()?.port();
    let settings = HostSettings {
        peer_limit: args.peers.into(),
        channel_limit: args.channels.into(),
        ..HostSettings::default()
    };
    let mut host = Host::new(socket, settings)?;
    answer_marks(|| json!({}));
    ready(port);

    let mut clients: Vec<PeerID> = Vec::new();
    let mut places = vec![0; args.peers.into()];
    loop {
        match host.service()?.map(|event| event.no_ref()) {
            Some(EventNoRef::Connect { peer, .. }) => {
                places[peer.0] = clients.len();
                clients.push(peer);
            }
            Some(EventNoRef::Receive { peer, channel_id, packet }) => {
                for to in args.pass.targets(places[peer.0], clients.len()) {
                    host.peer_mut(clients[to]).send(channel_id, &packet)?;
                }
            }
            Some(EventNoRef::Disconnect { .. }) => {}
            None => {
                let mut readable = [PollFd::new(host.socket(), PollFlags::IN)];
                poll(&mut readable, Some(&WAIT))?;
            }
        }
    }
}

/// Interval of calls for its timers.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
