//! Signaling of the WebRTC servers: each TCP connection sends an offer, and receives the answer.
//! Both are complete session descriptions, each up to the end of its direction.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::{io, thread};

use mp_transport_webrtc::limits::UNRELIABLE_LIFETIME_MIN;

/// Starts a thread that answers the offer of each client. Returns the TCP port.
///
/// # Errors
///
/// Returns an error if no socket can be opened.
pub fn answer_offers(
    mut answer: impl FnMut(String) -> Option<String> + Send + 'static,
) -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            if let Err(error) = stream.and_then(|stream| exchange(stream, &mut answer)) {
                eprintln!("no answer: {error}");
            }
        }
    });
    Ok(port)
}

fn exchange(
    mut stream: TcpStream,
    answer: &mut impl FnMut(String) -> Option<String>,
) -> io::Result<()> {
    let mut offer = String::new();
    stream.read_to_string(&mut offer)?;
    let answer = answer(offer).ok_or(io::ErrorKind::InvalidData)?;
    stream.write_all(answer.as_bytes())?;
    stream.shutdown(Shutdown::Write)
}

/// Time in milliseconds during which unreliable messages are retransmitted.
pub const UNRELIABLE_LIFETIME: u16 = UNRELIABLE_LIFETIME_MIN.as_millis() as u16;
