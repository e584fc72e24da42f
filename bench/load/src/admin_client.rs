//! [`AdminClient`]: requests to the admin API of mp-server.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

/// A connection to the admin API of a server on this machine. It never blocks.
pub(crate) struct AdminClient {
    stream: TcpStream,
    /// Received bytes of an incomplete response.
    received: Vec<u8>,
}

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl AdminClient {
    /// Connects to a TCP port.
    ///
    /// # Errors
    ///
    /// Returns an error if nothing listens.
    pub(crate) fn connect(port: u16) -> Result<Self, Box<dyn Error>> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .map_err(|error| format!("cannot connect to the admin API: {error}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Sends the request that creates a room. A permanent room stays without clients.
    pub(crate) fn create_room(
        &mut self,
        name: &str,
        is_permanent: bool,
    ) -> Result<(), Box<dyn Error>> {
        let body = format!(r#"{{"name":"{name}","permanent":{is_permanent}}}"#);
        self.send("POST", "/v1/rooms", &body)
    }

    /// Sends the request for the server's statistics.
    pub(crate) fn scrape(&mut self) -> Result<(), Box<dyn Error>> {
        self.send("GET", "/metrics", "")
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> Result<(), Box<dyn Error>> {
        let len = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
            content-type: application/json\r\ncontent-length: {len}\r\n\r\n{body}"
        );
        // One request at a time fits the buffer of the socket.
        self.stream.write_all(request.as_bytes())?;
        Ok(())
    }

    /// Returns the next response if it is complete.
    ///
    /// # Errors
    ///
    /// Returns an error if the server closes the connection, or the response is not valid.
    pub(crate) fn try_receive(&mut self) -> Result<Option<Response>, Box<dyn Error>> {
        let mut bytes = [0; 16_384];
        loop {
            match self.stream.read(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Ok(0) => return Err("the admin API has closed the connection".into()),
                read => self.received.extend_from_slice(&bytes[..read?]),
            }
        }
        let Some((response, len)) = parse(&self.received)? else { return Ok(None) };
        self.received.drain(..len);
        Ok(Some(response))
    }

    /// Waits for the next response without sleeping.
    ///
    /// # Errors
    ///
    /// As [`try_receive`](Self::try_receive).
    pub(crate) fn receive(&mut self) -> Result<Response, Box<dyn Error>> {
        loop {
            match self.try_receive()? {
                Some(response) => return Ok(response),
                None => std::hint::spin_loop(),
            }
        }
    }
}

/// Returns the response at the start of `bytes` and its length, if it is complete.
fn parse(bytes: &[u8]) -> Result<Option<(Response, usize)>, Box<dyn Error>> {
    let end = bytes.windows(HEAD_END.len()).position(|window| window == HEAD_END);
    let Some(end) = end else { return Ok(None) };
    let head = str::from_utf8(&bytes[..end])?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let lengths = head.lines().filter_map(|line| line.split_once(": "));
    let mut lengths = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = lengths.next().and_then(|(_, length)| length.parse::<usize>().ok());
    let (Some(status), Some(length)) = (status, length) else {
        return Err(format!("no status or no length: {head}").into());
    };
    let start = end + HEAD_END.len();
    let Some(body) = bytes.get(start..start + length) else { return Ok(None) };
    let body = str::from_utf8(body)?.to_owned();
    Ok(Some((Response { status, body }, start + length)))
}

/// Status of a response to a request that has created something.
pub(crate) const CREATED: u16 = 201;
const HEAD_END: &[u8] = b"\r\n\r\n";
/// Token in bench/rooms/enet.toml.
const TOKEN: &str = "token-of-the-load";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_is_parsed_once_it_is_complete() {
        let bytes = b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 200";
        for len in 0..46 {
            assert_eq!(parse(&bytes[..len]).unwrap(), None, "{len}");
        }
        let response = Response { status: 201, body: "body".to_owned() };
        assert_eq!(parse(bytes).unwrap(), Some((response, 47)));
        assert!(parse(b"HTTP/1.1 201 Created\r\n\r\n").is_err());
    }
}
