//! Each datagram, command or handshake that a host refuses is counted under its reason.
//! See `admission.rs` for the reasons of handshakes.

mod common;

use common::{
    RawClient, address, at, connect_datagram, datagram, events, pattern, reliable, server,
    transmits,
};
use mp_transport_enet::proto::command::{Body, Command, Fragment};
use mp_transport_enet::proto::header::Header;
use mp_transport_enet::proto::{
    Admission, CommandRefusal, CompressionMode, DatagramRefusal, HandshakeRefusal, HostSettings,
};

const FROM: &str = "10.0.0.2:5000";

#[test]
fn each_refused_datagram_is_counted_under_its_reason() {
    let plain = HostSettings::default;
    let (mut range_coded, mut with_checksum) = (plain(), plain());
    range_coded.compression = CompressionMode::RangeCoder;
    with_checksum.checksum = true;
    let connect = connect_datagram(at(1_000), 5, 77);
    let compressed = [&[connect[0] | 0x40], &connect[1..]].concat();
    let unknown =
        datagram(Header { peer_id: 9, session: 0, compressed: false, sent_time: None }, &[]);
    for (settings, bytes, refusal) in [
        (plain(), &connect[..1], DatagramRefusal::Truncated),
        (plain(), &unknown, DatagramRefusal::UnknownPeer),
        (plain(), &compressed, DatagramRefusal::UnexpectedCompression),
        (range_coded, &compressed, DatagramRefusal::NotDecompressible),
        (with_checksum, &connect, DatagramRefusal::WrongChecksum),
    ] {
        let mut host = server(settings);
        host.handle_datagram(at(1_000), address(FROM), bytes);
        assert!(transmits(&mut host, at(1_000)).is_empty(), "{refusal:?}");
        let counted: Vec<_> = host.stats().refused_datagrams.iter().collect();
        assert_eq!(counted, [(refusal, 1)]);
    }
}

#[test]
fn each_refused_command_is_counted_under_its_reason() {
    let whole = pattern(0, 100);
    let fragment =
        Fragment { start: 1, number: 5, count: 2, total: 100, offset: 0, payload: &whole };
    let fragment = Command { body: Body::SendFragment(fragment), ..reliable(0, 1, &[]) };
    let commands = |commands: &[Command<'_>]| datagram(header(None), commands)[2..].to_vec();
    let too_long = pattern(0, 200);
    for (sent_time, bytes, refusal) in [
        (Some(5), vec![1, 2, 3], CommandRefusal::Truncated),
        (Some(5), vec![0x8e, 0xff, 0, 9], CommandRefusal::UnknownCommand),
        (
            Some(5),
            connect_datagram(at(1_000), 5, 77)[4..].to_vec(),
            CommandRefusal::UnexpectedCommand,
        ),
        (Some(5), commands(&[reliable(9, 1, b"no channel 9")]), CommandRefusal::UnknownChannel),
        (Some(5), commands(&[reliable(0, 1, &too_long)]), CommandRefusal::PacketTooLong),
        (Some(5), commands(&[fragment]), CommandRefusal::InvalidFragment),
        (None, commands(&[reliable(0, 1, b"no time")]), CommandRefusal::NoSentTime),
    ] {
        let mut settings = HostSettings::default();
        settings.channel_limit = 4;
        settings.max_packet_size = 150;
        let mut host = server(settings);
        let client = RawClient::connect(&mut host, at(1_000), FROM, 77);
        let datagram = [datagram(client.header(sent_time), &[]), bytes].concat();
        host.handle_datagram(at(1_000), client.address, &datagram);
        let counted: Vec<_> = host.stats().refused_commands.iter().collect();
        assert_eq!(counted, [(refusal, 1)]);
    }
}

fn header(sent_time: Option<u16>) -> Header {
    Header { peer_id: 0, session: 0, compressed: false, sent_time }
}

#[test]
fn a_server_that_changes_the_connect_id_is_refused_and_counted() {
    let mut settings = HostSettings::default();
    settings.admission = Admission::Nobody;
    let mut client = server(settings);
    let to = address(FROM);
    client.connect(to, 2, 77).unwrap();
    client.handle_timeout(at(1_000));
    let sent = transmits(&mut client, at(1_000));
    let (_, commands) = common::parse(&sent[0].1);
    let Body::Connect(connect) = commands[0].body else { panic!("{}", commands[0]) };
    let mut terms = connect.terms;
    terms.connect_id[0] ^= 1;
    let verify = Command::control(1, Body::VerifyConnect(terms));
    client.handle_datagram(at(1_000), to, &datagram(header(Some(5)), &[verify]));
    let counted: Vec<_> = client.stats().refused_commands.iter().collect();
    assert_eq!(counted, [(CommandRefusal::UnofferedTerms, 1)]);
    assert_eq!(events(&mut client).len(), 1, "the attempt must end");
}

#[test]
fn a_client_without_a_slot_is_counted() {
    let mut host = server(HostSettings::default());
    // The attempts of the host itself occupy all slots.
    while host.connect(address("10.0.0.9:1"), 2, 0).is_some() {}
    host.handle_datagram(at(1_000), address(FROM), &connect_datagram(at(1_000), 5, 77));
    let counted: Vec<_> = host.stats().refused_handshakes.iter().collect();
    assert_eq!(counted, [(HandshakeRefusal::NoSlot, 1)]);
}
