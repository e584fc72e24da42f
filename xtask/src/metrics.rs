//! The values of a server's `/metrics`, and other responses of its admin API.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// The samples of one scrape.
#[derive(Debug)]
pub(crate) struct Metrics(String);

impl Metrics {
    /// Reads the metrics of the admin API on `port`, which needs no token.
    ///
    /// # Errors
    ///
    /// Returns an error if the server does not respond.
    pub(crate) fn read(port: u16) -> Result<Self, String> {
        let response = request(port, "GET", "/metrics", "");
        response.map(Self).map_err(|error| format!("cannot read the metrics: {error}"))
    }

    /// Returns the sum of the samples `name` that have the label `label`, for example
    /// `transport="enet"`; an empty one is that of all. 0 if there are none.
    pub(crate) fn sum(&self, name: &str, label: &str) -> f64 {
        let values = self.0.lines().filter_map(|line| {
            let labels = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']))?;
            labels.contains(label).then_some(line)?.rsplit(' ').next()?.parse::<f64>().ok()
        });
        values.sum()
    }
}

/// Sends a request to the admin API on `port` of a server with `--dev`, which needs no token.
/// Returns the value of its response.
///
/// # Errors
///
/// Returns an error if the server does not respond, or responds with a problem.
pub(crate) fn call(port: u16, method: &str, path: &str, body: &Value) -> Result<Value, String> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let response = request(port, method, path, &body);
    let response = response.map_err(|error| format!("{method} {path}: {error}"))?;
    let (head, value) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    if head.split(' ').nth(1).is_none_or(|status| !status.starts_with('2')) {
        return Err(format!("{method} {path}: {response}"));
    }
    serde_json::from_str(value).map_err(|error| format!("{method} {path}: {error}: {value}"))
}

/// Returns the response with its head.
fn request(port: u16, method: &str, path: &str, body: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(RESPONSE_TIMEOUT))?;
    let head = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close");
    let content = format!("content-type: application/json\r\ncontent-length: {}", body.len());
    write!(stream, "{head}\r\n{content}\r\n\r\n{body}")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}

/// Time in which a server responds, on a busy machine.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_added_by_name_and_label() {
        let text = "# TYPE a counter\na_total{kind=\"x\"} 2.0\na_total{kind=\"y\"} 3\nab_total 9\n";
        let metrics = Metrics(text.to_owned());
        assert_eq!((metrics.sum("a_total", ""), metrics.sum("a_total", "\"y\"")), (5.0, 3.0));
        assert_eq!((metrics.sum("ab_total", ""), metrics.sum("b_total", "")), (9.0, 0.0));
    }
}
