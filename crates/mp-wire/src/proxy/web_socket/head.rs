//! The heads of HTTP requests and responses: the bytes up to the first empty line.

use std::sync::Arc;

use crate::limits::HEAD_BYTES_MAX;

/// Maximum number of header fields.
const HEADERS_MAX: usize = 96;

/// The received bytes of an incomplete head.
#[derive(Debug, Default)]
pub(super) struct HeadBuffer(Vec<u8>);

/// A complete head.
#[derive(Debug)]
pub(super) struct CompleteHead {
    pub(super) head: Vec<u8>,
    /// The bytes after it.
    pub(super) rest: Vec<u8>,
}

/// The reason why a head cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidHead;

impl HeadBuffer {
    /// Appends bytes. Returns the head once it is complete.
    ///
    /// # Errors
    ///
    /// If the head is too long.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Option<CompleteHead>, InvalidHead> {
        // The end may be split between two reads.
        let from = self.0.len().saturating_sub(END.len() - 1);
        self.0.extend_from_slice(bytes);
        let found = self.0[from..].windows(END.len()).position(|window| window == END);
        match found {
            Some(at) if from + at <= HEAD_BYTES_MAX => {
                let rest = self.0.split_off(from + at + END.len());
                Ok(Some(CompleteHead { head: std::mem::take(&mut self.0), rest }))
            }
            None if self.0.len() <= HEAD_BYTES_MAX => Ok(None),
            _ => Err(InvalidHead),
        }
    }
}

/// Returns the URL of a request, and the request with `authority` as its header `Host`.
pub(super) fn request(
    head: &[u8],
    authority: &str,
    is_secure: bool,
) -> Result<(Arc<str>, Vec<u8>), InvalidHead> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let is_complete = request.parse(head).map_err(|_| InvalidHead)?.is_complete();
    let (true, Some(method), Some(path)) = (is_complete, request.method, request.path) else {
        return Err(InvalidHead);
    };
    let mut out = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    let mut host = authority.as_bytes();
    for header in request.headers.iter() {
        let is_host = header.name.eq_ignore_ascii_case("host");
        if is_host {
            host = header.value;
        }
        let value = if is_host { authority.as_bytes() } else { header.value };
        out.extend_from_slice(header.name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    let scheme = if is_secure { "wss" } else { "ws" };
    let url = format!("{scheme}://{}{path}", String::from_utf8_lossy(host));
    Ok((url.into(), out))
}

/// Returns the status of a response.
pub(super) fn status(head: &[u8]) -> Result<u16, InvalidHead> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(head).map_err(|_| InvalidHead)?;
    response.code.ok_or(InvalidHead)
}

const END: &[u8] = b"\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_keeps_all_but_its_host() {
        let head = b"GET /a?token=b HTTP/1.1\r\nhost: localhost:9\r\nOrigin: http://a\r\n\r\n";
        let (url, head) = request(head, "game.example:80", false).unwrap();
        assert_eq!(&*url, "ws://localhost:9/a?token=b");
        let expected =
            "GET /a?token=b HTTP/1.1\r\nhost: game.example:80\r\nOrigin: http://a\r\n\r\n";
        assert_eq!(String::from_utf8(head).unwrap(), expected);
        assert_eq!(request(b"GET\r\n\r\n", "a", false), Err(InvalidHead));
    }

    #[test]
    fn head_is_complete_at_its_empty_line_however_it_is_split() {
        let all = b"HTTP/1.1 101 Hi\r\n\r\nrest";
        for split in 0..all.len() {
            let mut buffer = HeadBuffer::default();
            let mut found = buffer.push(&all[..split]).unwrap();
            let later = if found.is_some() { &all[..0] } else { &all[split..] };
            found = found.or_else(|| buffer.push(later).unwrap());
            let CompleteHead { head, rest } = found.expect("a complete head");
            assert_eq!(status(&head), Ok(101));
            assert!(all[19..].starts_with(&rest));
        }
        let mut buffer = HeadBuffer::default();
        assert!(buffer.push(&vec![b'a'; HEAD_BYTES_MAX + 1]).is_err());
    }
}
