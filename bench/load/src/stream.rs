//! TCP clients that receive their messages back, with or without WebSocket.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use clap::{Parser, ValueEnum};
use mp_bench_common::print_line;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::time::Timespec;

use crate::clock::{Clock, MILLISECOND, SECOND};
use crate::control::{Command, Commands};
use crate::delivery_counter::DeliveryCounter;
use crate::stamp::Stamp;
use crate::udp::dialect::{Dialect, room_name};

/// Options of TCP clients.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// TCP port of the server on this machine
    #[arg(long)]
    port: u16,
    /// Number of clients
    #[arg(long)]
    clients: u16,
    /// Messages in flight per client; 0 for idle connections
    #[arg(long)]
    in_flight: u32,
    /// Encoding of messages
    #[arg(long)]
    frames: Frames,
    /// Number of rooms of equal size, which idle Godot clients select by path [default: the server
    /// has one room]
    #[arg(long)]
    rooms: Option<u16>,
}

impl Args {
    /// Returns the number of clients in a room.
    fn room_size(&self) -> Result<u16, String> {
        match self.rooms {
            Some(rooms) if rooms == 0 || !self.clients.is_multiple_of(rooms) => {
                Err(format!("{} clients do not fill {rooms} rooms equally", self.clients))
            }
            Some(_) if self.frames != Frames::Godot || self.in_flight > 0 => {
                Err("clients of several rooms need --frames godot and no messages".into())
            }
            rooms => Ok(self.clients / rooms.unwrap_or(1)),
        }
    }
}

/// Encoding of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Frames {
    /// The message alone
    Bare,
    /// A binary frame
    WebSocket,
    /// A binary frame, after a first one from the server with the client's id, as in Godot
    Godot,
}

/// Connects all clients, and runs until the runner stops it.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let clock = Clock::new();
    let orders = Commands::listen();
    let room_size = args.room_size()?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut clients = Vec::new();
    for index in 0..args.clients {
        let path = args.rooms.map_or_else(String::new, |_| room_name(index / room_size));
        let client = Client::connect(index, args, &path)?;
        let data = epoll::EventData::new_u64(index.into());
        epoll::add(&epoll, &client.stream, data, epoll::EventFlags::IN)?;
        clients.push(client);
    }
    if args.rooms.is_some() {
        meet(&mut clients, usize::from(room_size) - 1, clock)?;
    }
    print_line("ready");

    // TCP keeps the order, so reordered messages are wrong.
    let mut counter = DeliveryCounter::new(clients.len(), 1, true);
    let mut ready = Vec::with_capacity(256);
    let nap = if args.in_flight == 0 { MILLISECOND } else { 0 };
    let nap = Timespec { tv_sec: 0, tv_nsec: nap as i64 };
    let (mut is_running, mut drained) = (false, None);
    loop {
        ready.clear();
        epoll::wait(&epoll, spare_capacity(&mut ready), Some(&nap))?;
        for event in &ready {
            let client = &mut clients[event.data.u64() as usize];
            let last_received = client.receive(&mut counter, clock)?;
            if is_running {
                client.send(last_received, &mut counter, clock)?;
            }
        }
        match orders.next() {
            Some(Command::Start) => {
                is_running = true;
                for client in &mut clients {
                    client.send(args.in_flight, &mut counter, clock)?;
                }
            }
            Some(Command::Mark) => print_line(&counter.mark().to_string()),
            Some(Command::Stop) => {
                is_running = false;
                drained = Some(clock.nanos() + DRAIN);
            }
            None => {}
        }
        if drained.is_some_and(|until| clock.nanos() >= until) {
            print_line(&counter.report().to_string());
            return Ok(());
        }
    }
}

/// Waits until the server has announced to each client the `others` of its room.
fn meet(clients: &mut [Client], others: usize, clock: Clock) -> Result<(), Box<dyn Error>> {
    let mut nothing = DeliveryCounter::new(clients.len(), 1, true);
    for client in clients {
        let until = clock.nanos() + MEET_TIMEOUT;
        while client.known_peers != others {
            if clock.nanos() > until {
                let (index, known) = (client.index, client.known_peers);
                return Err(format!("client {index} knows {known} others of its room").into());
            }
            client.receive(&mut nothing, clock)?;
        }
    }
    Ok(())
}

struct Client {
    index: u16,
    stream: TcpStream,
    frames: Frames,
    sequence: u32,
    /// Other clients of its room that the server has announced.
    known_peers: usize,
    /// Received bytes of an incomplete message.
    arrived: Vec<u8>,
    out: Vec<u8>,
}

impl Client {
    /// Connects, and completes the WebSocket handshake, one client after another.
    fn connect(index: u16, args: &Args, path: &str) -> Result<Self, Box<dyn Error>> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, args.port))?;
        stream.set_nodelay(true)?;
        if args.frames != Frames::Bare {
            stream.write_all(format!("GET /{path} {REQUEST}").as_bytes())?;
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                answer.push(byte[0]);
            }
            if !answer.starts_with(b"HTTP/1.1 101 ") {
                return Err(String::from_utf8_lossy(&answer).into_owned().into());
            }
        }
        if args.frames == Frames::Godot {
            let mut id = [0; 6];
            stream.read_exact(&mut id)?;
            if id[..2] != [BINARY, 4] {
                return Err(format!("no id: {id:02x?}").into());
            }
        }
        stream.set_nonblocking(true)?;
        let frames = args.frames;
        let (arrived, out) = (Vec::new(), Vec::new());
        Ok(Self { index, stream, frames, sequence: 0, known_peers: 0, arrived, out })
    }

    /// Sends `count` messages with one write.
    fn send(
        &mut self,
        count: u32,
        counter: &mut DeliveryCounter,
        clock: Clock,
    ) -> Result<(), Box<dyn Error>> {
        self.out.clear();
        for _ in 0..count {
            let (source, sequence) = (self.index, self.sequence);
            let stamp = Stamp { source, phase: counter.phase(), sequence, sent: clock.nanos() };
            self.sequence += 1;
            let mut message = [0; SIZE];
            stamp.write(&mut message);
            if self.frames != Frames::Bare {
                let key = sequence.wrapping_mul(0x9e37_79b9).to_le_bytes();
                self.out.extend_from_slice(&[BINARY, MASKED | SIZE as u8]);
                self.out.extend_from_slice(&key);
                message.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
            }
            self.out.extend_from_slice(&message);
            counter.sent(1);
        }
        let mut rest = &self.out[..];
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
                written => rest = &rest[written?..],
            }
        }
        Ok(())
    }

    /// Receives messages, and returns their number.
    fn receive(
        &mut self,
        counter: &mut DeliveryCounter,
        clock: Clock,
    ) -> Result<u32, Box<dyn Error>> {
        let mut bytes = [0; 16_384];
        let len = match self.stream.read(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Ok(0) => {
                return Err(format!("client {} is disconnected from the server", self.index).into());
            }
            read => read?,
        };
        self.arrived.extend_from_slice(&bytes[..len]);
        let (mut at, mut last_received) = (0, 0);
        while let Some((kind, payload)) = next_frame(self.frames, &self.arrived[at..]) {
            match (kind, Stamp::read(payload, SIZE)) {
                (BINARY, Some(stamp)) if stamp.source == self.index => {
                    counter.received(self.index.into(), &stamp, SIZE, clock.nanos());
                    last_received += 1;
                }
                // mp sends pongs to idle clients.
                (PONG, _) => {}
                (BINARY, None) if Dialect::Godot.is_add_peer(payload) => self.known_peers += 1,
                _ => counter.wrong(),
            }
            at += payload.len() + if self.frames == Frames::Bare { 0 } else { HEAD };
        }
        self.arrived.drain(..at);
        Ok(last_received)
    }
}

/// Returns the kind and the payload of the frame at the start of `bytes`, if it is complete. A bare
/// message has no header and is always binary.
fn next_frame(frames: Frames, bytes: &[u8]) -> Option<(u8, &[u8])> {
    if frames == Frames::Bare {
        return Some((BINARY, bytes.get(..SIZE)?));
    }
    let (&[kind, len], rest) = bytes.split_first_chunk()?;
    // Longer frames have another header. A client expects none, and reports this one as wrong.
    Some((kind, rest.get(..usize::from(len))?))
}

const SIZE: usize = 64;
/// Length of the header of a frame.
const HEAD: usize = 2;
/// Header byte of a final binary frame.
const BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;
/// Header byte of a pong.
const PONG: u8 = 0x8a;
const DRAIN: u64 = SECOND / 5;
/// Time in which the server announces the clients of a room to each other.
const MEET_TIMEOUT: u64 = 20 * SECOND;
/// Request after method and path.
const REQUEST: &str = "HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
