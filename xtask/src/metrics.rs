//! The values of a server's `/metrics`.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

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
        let get = || -> io::Result<String> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            let host = format!("127.0.0.1:{port}");
            write!(stream, "GET /metrics HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
            let mut response = String::new();
            stream.read_to_string(&mut response)?;
            Ok(response)
        };
        get().map(Self).map_err(|error| format!("cannot read the metrics: {error}"))
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
