//! Socket of a client.

use std::error::Error;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};

/// Returns a non-blocking socket with a large receive buffer.
pub(super) fn bind() -> Result<UdpSocket, Box<dyn Error>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Sends a datagram. Waits if the receive buffer of the server is full.
pub(super) fn send_now(socket: &UdpSocket, datagram: &[u8]) -> Result<(), Box<dyn Error>> {
    loop {
        match socket.send(datagram) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            sent => {
                return sent
                    .map(drop)
                    .map_err(|error| format!("cannot send to the server: {error}").into());
            }
        }
    }
}

/// Receives a datagram if there is one. Returns its length.
pub(super) fn receive_now(
    socket: &UdpSocket,
    buffer: &mut [u8],
) -> Result<Option<usize>, Box<dyn Error>> {
    match socket.recv(buffer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        received => Ok(Some(received?)),
    }
}

const RECEIVE_BUFFER: usize = 1 << 20;
