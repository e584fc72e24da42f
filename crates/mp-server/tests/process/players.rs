//! Players of a room: branches of mp, and raw bytes on a socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mp_actor::prelude::*;
use mp_core::host::SystemClock;
use mp_tls::ClientTlsOptions;
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer};
use mp_transport_ws::WebSocketMultiplayerPeer;
use serde_json::Value;

use crate::server::PATIENCE;

/// Returns a branch that has joined over ENet.
pub(crate) async fn join(
    address: SocketAddr,
    build: impl FnOnce() -> Result<Branch, BuildError> + Send + 'static,
) -> BranchRef {
    let make = move || EnetMultiplayerPeer::create_async_client(address, ClientOptions::default());
    mp_actor::branch(build).connect(make).await.expect("a connection")
}

/// Returns a branch that has joined over WebSocket.
pub(crate) async fn join_by_url(url: &str, tls: ClientTlsOptions) -> Result<BranchRef, StartError> {
    let options = mp_transport_ws::ClientOptions::default().tls(tls);
    let url = url.to_owned();
    let make = move || WebSocketMultiplayerPeer::create_async_client(&url, options);
    mp_actor::branch(|| Branch::builder("/root").build()).connect(make).await
}

/// Waits until `condition` holds.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let clock = SystemClock::new();
    let limit = clock.now() + PATIENCE;
    while !condition() {
        assert!(clock.now() < limit, "the condition does not hold");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A WebSocket player that exchanges raw bytes.
pub(crate) struct RawPlayer {
    pub(crate) stream: TcpStream,
    pub(crate) id: PeerId,
    /// Messages that were skipped.
    skipped: Vec<Vec<u8>>,
}

impl RawPlayer {
    /// Joins and waits for the player's id.
    pub(crate) fn join(address: SocketAddr) -> Self {
        Self::join_with(address, "/")
    }

    /// Joins with a path and query.
    pub(crate) fn join_with(address: SocketAddr, path: &str) -> Self {
        let mut stream = connect(address);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Sec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        // Not more than the response and the id: a close frame may follow at once.
        let mut reader = BufReader::with_capacity(1, &stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 101"), "{line}");
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        // A binary frame with the four bytes of the id.
        let mut frame = [0; 6];
        reader.read_exact(&mut frame).unwrap();
        assert_eq!(frame[..2], [0x82, 4]);
        let id = i32::from_le_bytes(frame[2..].try_into().unwrap());
        Self { stream, id: PeerId::new(id).unwrap(), skipped: Vec::new() }
    }

    /// Waits for the close frame and returns its text. Skips messages.
    pub(crate) fn close_reason(&mut self) -> String {
        loop {
            if let (CLOSE, mut payload) = self.frame() {
                return String::from_utf8(payload.split_off(2)).unwrap();
            }
        }
    }

    /// Sends a ping and waits for its pong. Skips messages.
    pub(crate) fn ping(&mut self) {
        assert!(self.is_connected(), "the server closes the connection");
    }

    /// Sends a ping. Returns whether the server answers it, and does not close. Skips messages.
    pub(crate) fn is_connected(&mut self) -> bool {
        // Masked with zeros, without a payload. A closed connection may not accept it.
        let _ = self.stream.write_all(&[PING, 0x80, 0, 0, 0, 0]);
        loop {
            match self.frame() {
                (PONG, _) => return true,
                (CLOSE, _) => return false,
                (BINARY, payload) => self.skipped.push(payload),
                _ => {}
            }
        }
    }

    /// Removes and returns the messages that were skipped by a ping or while waiting for a notice.
    pub(crate) fn messages(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.skipped)
    }

    /// Waits for a notice of the server, a raw packet, and returns its data. Skips other messages.
    pub(crate) fn notice(&mut self) -> Value {
        loop {
            match self.frame() {
                (BINARY, payload) if payload.first() == Some(&RAW) => {
                    return serde_json::from_slice(&payload[1..]).unwrap();
                }
                (CLOSE, _) => panic!("the connection is closed"),
                (BINARY, payload) => self.skipped.push(payload),
                _ => {}
            }
        }
    }

    /// Waits for a frame of less than 64 KiB, and returns its first byte and its payload.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).unwrap();
        let mut len = usize::from(head[1]);
        if len == 126 {
            let mut extended = [0; 2];
            self.stream.read_exact(&mut extended).unwrap();
            len = u16::from_be_bytes(extended).into();
        }
        let mut payload = vec![0; len];
        self.stream.read_exact(&mut payload).unwrap();
        (head[0], payload)
    }
}

/// First byte of a frame with a message, and of a close frame.
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
/// First byte of a frame with a ping, and of one with its pong.
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
/// First byte of a raw packet.
const RAW: u8 = 3;

/// Returns a connection whose reads time out after [`PATIENCE`].
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}
