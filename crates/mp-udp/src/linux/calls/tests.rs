//! Tests of the system calls, over the loopback device.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};

use super::*;
use crate::Transmit;

const V4: SocketState = SocketState {
    is_ipv6: false,
    reports_local: false,
    next_check: None,
    segmentation: Segmentation::ALLOWED,
};
const STOPPED: Segmentation = Segmentation { stopped_for: 1_000, next_stop: STOP_MAX };

fn socket() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

/// Receives all datagrams of a socket. On loopback, a datagram is available as soon as it is
/// sent.
fn received(socket: &UdpSocket) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut datagrams = Vec::new();
    let take = &mut |path: NetworkPath, bytes: &[u8]| {
        assert_eq!(path.local, None, "the socket has one address");
        datagrams.push((path.remote, bytes.to_vec()));
    };
    let state = SocketState { is_ipv6: socket.local_addr().unwrap().is_ipv6(), ..V4 };
    assert!(receive(socket, state, 10_000, take).unwrap(), "the socket must be drained");
    datagrams
}

fn push(batch: &mut SendBatch, to: &UdpSocket, bytes: &[u8], segment_size: Option<usize>) {
    batch.room(bytes.len()).unwrap()[..bytes.len()].copy_from_slice(bytes);
    let to = to.local_addr().unwrap();
    batch.push(Transmit { to, from: None, len: bytes.len(), segment_size });
}

#[test]
fn many_datagrams_are_received_with_few_calls_in_order() {
    let (from, to) = (socket(), socket());
    let port = from.local_addr().unwrap().port();
    for number in 0..100_u8 {
        from.send_to(&vec![number; usize::from(number)], to.local_addr().unwrap()).unwrap();
    }
    let mut lens = Vec::new();
    let mut take = |path: NetworkPath, bytes: &[u8]| {
        assert_eq!(path.remote.port(), port);
        lens.push(bytes.len());
    };
    assert!(!receive(&to, V4, 40, &mut take).unwrap(), "there may be more");
    assert!(receive(&to, V4, 100, &mut take).unwrap(), "there are no more");
    assert_eq!(lens, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_datagram_that_is_too_long_is_cut_off_after_one_more_byte() {
    let (from, to) = (socket(), socket());
    from.send_to(&[7; 9_000], to.local_addr().unwrap()).unwrap();
    assert_eq!(received(&to)[0].1.len(), DATAGRAM_BUFFER_BYTES);
}

#[test]
fn segmented_datagrams_are_received_as_single_datagrams() {
    for segmentation in [Segmentation::ALLOWED, STOPPED] {
        let (from, first, second) = (socket(), socket(), socket());
        let mut batch = SendBatch::with_capacity(60_000);
        let bytes: Vec<u8> = (0..250).collect();
        push(&mut batch, &first, &bytes, Some(100));
        push(&mut batch, &second, &bytes, Some(100));
        push(&mut batch, &first, b"alone", None);
        push(&mut batch, &second, &bytes, Some(60));
        send(&from, &mut batch, &mut SocketState { segmentation, ..V4 }).unwrap();
        assert!(batch.is_empty());
        let lens = |socket| received(socket).iter().map(|(_, it)| it.len()).collect::<Vec<_>>();
        assert_eq!(lens(&first), [100, 100, 50, 5], "{segmentation:?}");
        assert_eq!(lens(&second), [100, 100, 50, 60, 60, 60, 60, 10], "{segmentation:?}");
    }
}

#[test]
fn datagrams_that_the_kernel_cannot_segment_are_sent_singly() {
    let (from, to) = (socket(), socket());
    let mut batch = SendBatch::with_capacity(60_000);
    push(&mut batch, &to, &[1; 200], None);
    // More segments than Linux accepts (128).
    batch.cut_first_into(1);
    let mut state = V4;
    send(&from, &mut batch, &mut state).unwrap();
    assert!(!state.segmentation.is_allowed());
    assert_eq!(received(&to).len(), 200);
}

#[test]
fn more_transmits_than_one_call_sends_are_all_sent() {
    let (from, to) = (socket(), socket());
    let mut batch = SendBatch::with_capacity(60_000);
    for number in 0..60_u8 {
        push(&mut batch, &to, &[number], None);
    }
    send(&from, &mut batch, &mut { V4 }).unwrap();
    let numbers: Vec<u8> = received(&to).iter().map(|(_, bytes)| bytes[0]).collect();
    assert_eq!(numbers, (0..60).collect::<Vec<_>>());
}

#[test]
fn an_error_applies_to_the_oldest_datagram_left() {
    let (from, to) = (socket(), socket());
    let mut batch = SendBatch::with_capacity(60_000);
    push(&mut batch, &to, b"first", None);
    let to_v6 = (Ipv6Addr::LOCALHOST, 9).into();
    batch.push(Transmit { to: to_v6, from: None, len: 3, segment_size: None });
    push(&mut batch, &to, b"last", None);
    let mut state = V4;
    let error = send(&from, &mut batch, &mut state).unwrap_err();
    assert_ne!(error.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(batch.front().map(|(path, _)| path.remote), Some(to_v6));
    batch.pop_front();
    send(&from, &mut batch, &mut state).unwrap();
    let texts: Vec<_> = received(&to).into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(texts, [b"first".to_vec(), b"last".to_vec()]);
}

#[test]
fn a_bad_destination_does_not_stop_segmentation() {
    let (from, to) = (socket(), socket());
    let mut batch = SendBatch::with_capacity(60_000);
    // Port 0 is rejected as invalid, as is GSO on an interface without support.
    batch.push(Transmit {
        to: (Ipv4Addr::LOCALHOST, 0).into(),
        from: None,
        len: 30,
        segment_size: Some(10),
    });
    push(&mut batch, &to, b"aabbc", Some(2));
    let mut state = V4;
    for _ in 0..3 {
        send(&from, &mut batch, &mut state).unwrap_err();
        batch.pop_front();
    }
    send(&from, &mut batch, &mut state).unwrap();
    assert_eq!(state, V4);
    assert_eq!(received(&to).len(), 3);
}

#[test]
fn segmentation_is_tried_again_after_a_number_of_datagrams() {
    let mut segmentation = Segmentation::ALLOWED;
    for stop in [STOP_MIN, 2 * STOP_MIN, 4 * STOP_MIN] {
        segmentation.failed();
        for _ in 0..stop {
            assert!(!segmentation.is_allowed());
            segmentation.sent_one();
        }
        assert!(segmentation.is_allowed());
    }
}

#[test]
fn addresses_of_both_families_are_reported() {
    for address in ["127.0.0.1:0", "[::1]:0", "127.0.0.1:0"] {
        let [from, to] = [(); 2].map(|()| UdpSocket::bind(address).unwrap());
        from.send_to(b"hello", to.local_addr().unwrap()).unwrap();
        let from = from.local_addr().unwrap();
        assert_eq!(received(&to), [(from, b"hello".to_vec())], "{address}");
    }
}
