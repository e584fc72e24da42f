//! [`NatsClock`]: the clock of NATS, compared with that of this machine.

use std::time::Duration;

use async_nats::datetime::{self, DateTime};
use async_nats::{Client, Message};
use bytes::Bytes;
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::NatsError;
use super::connection::SETUP_TIME;

/// The difference of two clocks: that of the NATS server that stores the directory, by which
/// registrations of nodes expire, and the wall clock of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NatsClock {
    /// Time of NATS minus that of this machine, in microseconds. It is accurate to half of the
    /// round trip.
    pub ahead_micros: i64,
    /// Shortest round trip of a request to JetStream.
    pub round_trip: Duration,
}

/// The part of a response that has the time of the server.
#[derive(Deserialize)]
struct Stamped {
    ts: String,
}

/// Compares the clocks by a few requests for the facts of a stream, which its leader answers with
/// its time. The one with the shortest round trip counts.
///
/// # Errors
///
/// [`NatsError::Stream`] if a request is not answered within 5 s, or without a time.
pub(super) async fn compare(client: &Client, stream: &str) -> Result<NatsClock, NatsError> {
    let subject = format!("$JS.API.STREAM.INFO.{stream}");
    let mut best: Option<NatsClock> = None;
    for _ in 0..SAMPLES {
        let (sent_at, sent) = (datetime::now(), Instant::now());
        let response = timeout(SETUP_TIME, client.request(subject.clone(), Bytes::new())).await;
        let round_trip = sent.elapsed();
        let response = response.map_err(|error| NatsError::stream(stream, error))?;
        let response = response.map_err(|error| NatsError::stream(stream, error))?;
        let time = time_of(&response).ok_or_else(|| {
            NatsError::stream(stream, "the response of NATS does not have its time")
        })?;
        let ahead_micros = difference_micros(time, sent_at, round_trip);
        if best.is_none_or(|best| round_trip < best.round_trip) {
            best = Some(NatsClock { ahead_micros, round_trip });
        }
    }
    best.ok_or_else(|| NatsError::stream(stream, "no request was sent"))
}

fn time_of(response: &Message) -> Option<DateTime> {
    let Stamped { ts } = serde_json::from_slice(&response.payload).ok()?;
    datetime::parse_rfc3339(&ts).ok()
}

/// Returns the time of the server minus that of this machine. The server has read its clock in the
/// middle of the round trip.
fn difference_micros(time: DateTime, sent_at: DateTime, round_trip: Duration) -> i64 {
    let nanos = time.unix_timestamp_nanos() - sent_at.unix_timestamp_nanos();
    let half = i128::try_from((round_trip / 2).as_nanos()).unwrap_or_default();
    let micros = (nanos - half) / 1_000;
    micros.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// Number of requests.
const SAMPLES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_of_clocks_does_not_include_the_way_to_the_server() {
        let at = |micros: i128| datetime::from_nanos(micros * 1_000).unwrap();
        let second = Duration::from_secs(1);
        assert_eq!(difference_micros(at(10_500_000), at(10_000_000), second), 0);
        assert_eq!(difference_micros(at(9_000_000), at(10_000_000), second), -1_500_000);
        assert_eq!(difference_micros(at(12_000_000), at(10_000_000), second), 1_500_000);
    }
}
