//! Shared helpers of the tests: captures, and a client that sends raw commands.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::net::SocketAddr;
use std::path::PathBuf;

use mp_core::{ConnectionId, Instant, Rng};
use mp_transport_enet::proto::command::{
    Body, CONTROL_CHANNEL, Command, Connect, FLAG_ACKNOWLEDGE, FLAG_UNSEQUENCED, Fragment, Terms,
    ThrottleParameters,
};
use mp_transport_enet::proto::header::Header;
use mp_transport_enet::proto::{Host, HostEvent, HostSettings, NO_PEER, PacketFlags};
use serde_json::Value;

pub const SERVER: &str = "10.0.0.1:7777";

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

pub fn server(settings: HostSettings) -> Host {
    Host::new(settings, Rng::seed_from_u64(1))
}

pub fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the bytes `offset`, `offset + 1`, …
pub fn pattern(offset: usize, len: usize) -> Vec<u8> {
    (offset..offset + len).map(|index| index as u8).collect()
}

/// Returns the names of all captures.
pub fn capture_names() -> Vec<String> {
    let files = std::fs::read_dir(testdata()).unwrap();
    let mut names: Vec<String> = files
        .filter_map(|file| file.unwrap().file_name().into_string().ok())
        .filter(|name| name.ends_with(".json"))
        .collect();
    names.sort();
    names
}

pub struct Captured {
    pub name: String,
    pub index: usize,
    pub is_from_client: bool,
    pub millis: f64,
    pub len: usize,
    /// The first bytes, or all if there are `len`.
    pub bytes: Vec<u8>,
    pub decoded: Value,
}

impl Captured {
    pub fn is_whole(&self) -> bool {
        self.bytes.len() == self.len
    }

    /// Returns all bytes. Those missing in the capture follow from the decoded fields and the
    /// pattern of payloads.
    pub fn rebuilt(&self) -> Vec<u8> {
        let listed = self.decoded["commands"].as_array().unwrap();
        let payloads: Vec<Vec<u8>> = listed.iter().map(payload_by_pattern).collect();
        let pairs = listed.iter().zip(&payloads);
        let commands: Vec<_> =
            pairs.map(|(listed, payload)| decoded_command(listed, payload)).collect();
        datagram(decoded_header(&self.decoded), &commands)
    }
}

pub fn capture(name: &str) -> Vec<Captured> {
    let text = std::fs::read_to_string(testdata().join(name)).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let datagrams = file["datagrams"].as_array().unwrap();
    let read = |(index, datagram): (usize, &Value)| Captured {
        name: name.to_owned(),
        index,
        is_from_client: datagram["dir"].as_str().unwrap().starts_with('C'),
        millis: datagram["t_ms"].as_f64().unwrap(),
        len: datagram["len"].as_u64().unwrap() as usize,
        bytes: unhex(datagram["hex"].as_str().unwrap()),
        decoded: datagram["decoded"].clone(),
    };
    datagrams.iter().enumerate().map(read).collect()
}

fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/enet")
}

/// Returns a datagram with these commands.
pub fn datagram(header: Header, commands: &[Command<'_>]) -> Vec<u8> {
    let mut bytes = vec![0; 65_536];
    let mut len = header.emit(&mut bytes);
    for command in commands {
        len += command.emit(&mut bytes[len..]);
    }
    bytes.truncate(len);
    bytes
}

pub fn parse(bytes: &[u8]) -> (Header, Vec<Command<'_>>) {
    let (header, mut rest) = Header::parse(bytes).unwrap();
    let mut commands = Vec::new();
    while !rest.is_empty() {
        let (command, after) = Command::parse(rest).unwrap();
        commands.push(command);
        rest = after;
    }
    (header, commands)
}

/// Returns the datagrams that the host sends now.
pub fn transmits(host: &mut Host, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
    host.end_turn(now);
    let mut buf = [0; 4_096];
    let mut all = Vec::new();
    while let Some(transmit) = host.poll_transmit(now, &mut buf) {
        let segment = transmit.segment_size.unwrap_or(transmit.len);
        all.extend(buf[..transmit.len].chunks(segment).map(|part| (transmit.to, part.to_vec())));
    }
    all
}

pub fn events(host: &mut Host) -> Vec<HostEvent> {
    std::iter::from_fn(|| host.poll_event()).collect()
}

/// Returns the channel, flags and payload of each packet received.
pub fn packets(host: &mut Host) -> Vec<(u8, PacketFlags, Vec<u8>)> {
    let packet = |event| match event {
        HostEvent::Packet { channel, flags, payload, .. } => {
            Some((channel, flags, payload.to_vec()))
        }
        _ => None,
    };
    events(host).into_iter().filter_map(packet).collect()
}

/// A connected client without protocol logic, which sends what the test specifies.
pub struct RawClient {
    pub address: SocketAddr,
    pub connection: ConnectionId,
    pub slot: u16,
    pub session: u8,
    pub control_sequence: u16,
}

pub fn connect_command(connect_id: u32, data: u32) -> Command<'static> {
    let terms = Terms {
        peer_id: 0,
        incoming_session: 0xff,
        outgoing_session: 0xff,
        mtu: 1_392,
        window_size: 65_536,
        channel_count: 255,
        incoming_bandwidth: 0,
        outgoing_bandwidth: 0,
        throttle: ThrottleParameters::default(),
        connect_id: connect_id.to_be_bytes(),
    };
    Command::control(1, Body::Connect(Connect { terms, data }))
}

pub fn connect_datagram(now: Instant, connect_id: u32, data: u32) -> Vec<u8> {
    let sent_time = Some(now.as_millis() as u16);
    let header = Header { peer_id: NO_PEER, session: 0, compressed: false, sent_time };
    datagram(header, &[connect_command(connect_id, data)])
}

impl RawClient {
    /// Sends a CONNECT. The connection is half-open.
    pub fn half_open(host: &mut Host, now: Instant, from: &str, data: u32) -> Self {
        let address = address(from);
        host.handle_datagram(now, address, &connect_datagram(now, data, data));
        let sent = transmits(host, now);
        let answer = sent.iter().find(|(to, _)| *to == address).expect("no reply to CONNECT");
        let (header, commands) = parse(&answer.1);
        assert_eq!(header.peer_id, 0);
        let Body::VerifyConnect(terms) = commands[0].body else { panic!("{}", commands[0]) };
        Self {
            address,
            connection: ConnectionId { slot: 0, generation: 0 },
            slot: terms.peer_id,
            session: terms.outgoing_session,
            control_sequence: 1,
        }
    }

    /// Completes the handshake. Polls the server's events up to `Connected`.
    pub fn connect(host: &mut Host, now: Instant, from: &str, data: u32) -> Self {
        let mut client = Self::half_open(host, now, from, data);
        client.acknowledge(host, now, CONTROL_CHANNEL, 1, now);
        let events = events(host);
        let Some(HostEvent::Connected { connection, .. }) = events.first() else {
            panic!("{events:?}")
        };
        client.connection = *connection;
        transmits(host, now);
        client
    }

    pub fn header(&self, sent_time: Option<u16>) -> Header {
        Header { peer_id: self.slot, session: self.session, compressed: false, sent_time }
    }

    /// Sends commands in one datagram with a sent time.
    pub fn send(&self, host: &mut Host, now: Instant, commands: &[Command<'_>]) {
        let header = self.header(Some(now.as_millis() as u16));
        host.handle_datagram(now, self.address, &datagram(header, commands));
    }

    pub fn acknowledge(
        &self,
        host: &mut Host,
        now: Instant,
        channel: u8,
        sequence: u16,
        sent: Instant,
    ) {
        let body = Body::Acknowledge { sequence, sent_time: sent.as_millis() as u16 };
        self.send(host, now, &[Command { flags: 0, channel, sequence, body }]);
    }

    pub fn ping(&mut self) -> Command<'static> {
        self.control_sequence += 1;
        Command::control(self.control_sequence, Body::Ping)
    }

    /// Returns the sequence numbers that the host acknowledges now on a channel.
    pub fn acknowledged(&self, host: &mut Host, now: Instant, channel: u8) -> Vec<u16> {
        let sent = transmits(host, now);
        let mut numbers = Vec::new();
        for (to, bytes) in &sent {
            assert_eq!(*to, self.address);
            for command in parse(bytes).1 {
                if let Body::Acknowledge { sequence, .. } = command.body
                    && command.channel == channel
                {
                    numbers.push(sequence);
                }
            }
        }
        numbers
    }
}

pub fn reliable(channel: u8, sequence: u16, payload: &[u8]) -> Command<'_> {
    let body = Body::SendReliable { payload };
    Command { flags: FLAG_ACKNOWLEDGE, channel, sequence, body }
}

pub fn unreliable(channel: u8, reliable: u16, sequence: u16, payload: &[u8]) -> Command<'_> {
    let body = Body::SendUnreliable { sequence, payload };
    Command { flags: 0, channel, sequence: reliable, body }
}

pub fn decoded_header(decoded: &Value) -> Header {
    Header {
        peer_id: number(&decoded["peer_id"]) as u16,
        session: number(&decoded["session"]) as u8,
        compressed: decoded["compressed"].as_bool().unwrap(),
        sent_time: decoded.get("sent_time").map(|time| number(time) as u16),
    }
}

pub fn decoded_command<'a>(listed: &Value, payload: &'a [u8]) -> Command<'a> {
    let field = |name: &str| {
        number(listed.get(name).unwrap_or_else(|| panic!("no {name} in {listed}"))) as u32
    };
    let fragment = || Fragment {
        start: field("start_seq") as u16,
        count: field("frag_count"),
        number: field("frag_number"),
        total: field("total_length"),
        offset: field("frag_offset"),
        payload,
    };
    let throttle = |prefix: &str| ThrottleParameters {
        interval: field(&format!("{prefix}interval")),
        acceleration: field(&format!("{prefix}accel")),
        deceleration: field(&format!("{prefix}decel")),
    };
    let terms = || Terms {
        peer_id: field("outgoing_peer_id") as u16,
        incoming_session: field("incoming_session") as u8,
        outgoing_session: field("outgoing_session") as u8,
        mtu: field("mtu"),
        window_size: field("window_size"),
        channel_count: field("channel_count"),
        incoming_bandwidth: field("in_bandwidth"),
        outgoing_bandwidth: field("out_bandwidth"),
        throttle: throttle("throttle_"),
        connect_id: unhex(listed["connect_id_hex"].as_str().unwrap()).try_into().unwrap(),
    };
    let body = match listed["cmd"].as_str().unwrap() {
        "ACKNOWLEDGE" => Body::Acknowledge {
            sequence: field("received_seq") as u16,
            sent_time: field("received_sent_time") as u16,
        },
        "CONNECT" => Body::Connect(Connect { terms: terms(), data: field("data") }),
        "VERIFY_CONNECT" => Body::VerifyConnect(terms()),
        "DISCONNECT" => Body::Disconnect { data: field("data") },
        "PING" => Body::Ping,
        "SEND_RELIABLE" => Body::SendReliable { payload },
        "SEND_UNRELIABLE" => Body::SendUnreliable { sequence: field("unrel_seq") as u16, payload },
        "SEND_FRAGMENT" => Body::SendFragment(fragment()),
        "SEND_UNSEQUENCED" => Body::SendUnsequenced { group: field("unseq_group") as u16, payload },
        "BANDWIDTH_LIMIT" => Body::BandwidthLimit {
            incoming: field("in_bandwidth"),
            outgoing: field("out_bandwidth"),
        },
        "THROTTLE_CONFIGURE" => Body::ThrottleConfigure(throttle("")),
        "SEND_UNRELIABLE_FRAGMENT" => Body::SendUnreliableFragment(fragment()),
        other => panic!("no command {other}"),
    };
    let flag = |name: &str, flag| if listed[name].as_bool().unwrap() { flag } else { 0 };
    Command {
        flags: flag("ack", FLAG_ACKNOWLEDGE) | flag("unseq", FLAG_UNSEQUENCED),
        channel: field("channel") as u8,
        sequence: field("rel_seq") as u16,
        body,
    }
}

/// Returns the payload of a command that the capture contains in part.
fn payload_by_pattern(listed: &Value) -> Vec<u8> {
    let Some(len) = listed.get("data_length") else { return Vec::new() };
    let offset = listed.get("frag_offset").map_or(0, number) as usize;
    let payload = pattern(offset, number(len) as usize);
    assert!(hex(&payload).starts_with(shown(listed)), "{listed}");
    payload
}

pub fn shown(listed: &Value) -> &str {
    listed.get("payload_hex").and_then(Value::as_str).unwrap_or_default().trim_end_matches('…')
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is not a number"))
}
