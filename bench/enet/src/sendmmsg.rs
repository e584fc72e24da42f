//! Lower bound of the machine: datagrams without a protocol, received one by one and sent with
//! sendmmsg. Each source address is a client; its first datagram is not forwarded.

use std::error::Error;
use std::io::{ErrorKind, IoSlice};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use clap::Parser;
use mp_bench_common::{answer_marks, ready};
use mp_bench_forward::Args;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    answer_marks(|| json!({}));
    ready(socket.local_addr()?.port());

    let mut clients: Vec<(SocketAddr, SocketAddrAny)> = Vec::new();
    let mut datagram = [0; 2_048];
    loop {
        let (len, from) = match socket.recv_from(&mut datagram) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            received => received?,
        };
        let Some(from) = clients.iter().position(|(client, _)| *client == from) else {
            clients.push((from, from.as_any()));
            socket.send_to(&datagram[..len], from)?;
            continue;
        };
        let bytes = [IoSlice::new(&datagram[..len])];
        let mut nothing: Vec<SendAncillaryBuffer<'_, '_, '_>> =
            clients.iter().map(|_| SendAncillaryBuffer::default()).collect();
        let targets = args.pass.targets(from, clients.len());
        let mut headers: Vec<MMsgHdr<'_>> = targets
            .zip(&mut nothing)
            .map(|(to, nothing)| MMsgHdr::new_with_addr(&clients[to].1, &bytes, nothing))
            .collect();
        let mut sent = 0;
        while sent < headers.len() {
            sent += sendmmsg(&socket, &mut headers[sent..], SendFlags::empty())?;
        }
    }
}
