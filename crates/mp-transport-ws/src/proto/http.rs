//! Parsing of headers in requests and responses, and responses that close the connection.

use std::fmt::Write;

use httparse::Header;

/// Returns the trimmed values of each header `name`.
pub(crate) fn values<'h>(
    headers: &'h [Header<'_>],
    name: &'h str,
) -> impl DoubleEndedIterator<Item = &'h str> {
    let named = headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.filter_map(|header| str::from_utf8(header.value).ok()).map(str::trim)
}

/// Returns the elements of the comma-separated lists in each header `name`.
pub(crate) fn elements<'h>(
    headers: &'h [Header<'_>],
    name: &'h str,
) -> impl DoubleEndedIterator<Item = &'h str> {
    let elements = values(headers, name).flat_map(|value| value.split(','));
    elements.map(str::trim).filter(|element| !element.is_empty())
}

/// Returns a response that closes the connection. Each of `headers` is a line without its end.
pub(crate) fn closing_response(
    status: &str,
    headers: &[&str],
    body: &str,
    with_body: bool,
) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\n");
    for header in headers {
        let _ = write!(text, "{header}\r\n");
    }
    let length = body.len();
    let _ = write!(
        text,
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    if with_body {
        text.push_str(body);
    }
    text.into_bytes()
}
