//! [`Agones`]: reports the state of the server to the Agones sidecar of its pod, over the REST API
//! of the sidecar.
//!
//! | request | when |
//! |---|---|
//! | `POST /ready` | players can join; repeated until the sidecar, which may start later, accepts it |
//! | `POST /health` | every two seconds, if the thread of the listeners responds |
//! | `PATCH /v1beta1/counters/rooms`, `…/players` | the number of rooms or players has changed, at most every two seconds |
//! | `POST /shutdown` | the server has drained |

use std::time::Duration;

use mp_identity::{HttpFailure, HttpMethod, HttpRequest, HttpUrl};
use serde_json::{Value, json};

use crate::config::{AgonesConfig, Config};
use crate::http_client::HttpClient;
use crate::rooms::{RoomsHandle, ServerEnded};

/// The sidecar of a server. Clones refer to the same one.
#[derive(Clone, Debug)]
pub(crate) struct Agones {
    client: HttpClient,
    /// URL without a path.
    base: String,
    capacities: Capacities,
}

/// Maximum numbers of rooms and players.
#[derive(Clone, Copy, Debug)]
struct Capacities {
    rooms: u32,
    players: u32,
}

/// A counter of the `GameServer` resource.
#[derive(Debug)]
struct Counter {
    name: &'static str,
    capacity: u32,
    /// Value that the sidecar has; `None` if it has none yet.
    reported: Option<usize>,
    /// True if the resource has no such counter.
    is_missing: bool,
}

impl Agones {
    /// Returns the sidecar; `None` if it is off. The error is a message.
    pub(crate) fn new(config: &Config) -> Result<Option<Self>, String> {
        let variable = std::env::var("AGONES_SDK_HTTP_PORT").ok();
        let Some(port) = port(&config.agones, variable)? else { return Ok(None) };
        let base = format!("http://127.0.0.1:{port}");
        let url = HttpUrl::new(&base).map_err(|error| error.to_string())?;
        let client = HttpClient::for_url(&url).map_err(|error| error.to_string())?;
        let capacities =
            Capacities { rooms: config.limits.max_rooms, players: config.limits.max_clients };
        Ok(Some(Self { client, base, capacities }))
    }

    /// Reports that the server is ready, then its health and counters until it has ended.
    pub(crate) async fn run(self, rooms: RoomsHandle) {
        let Capacities { rooms: max_rooms, players: max_players } = self.capacities;
        self.report_ready().await;
        let mut of_rooms = Counter::new("rooms", max_rooms);
        let mut of_players = Counter::new("players", max_players);
        loop {
            match tokio::time::timeout(INTERVAL, rooms.stats()).await {
                Ok(Ok(stats)) => {
                    if let Err(failure) = self.send(HttpMethod::Post, "/health", json!({})).await {
                        tracing::debug!(%failure, "the Agones sidecar does not accept the health");
                    }
                    of_rooms.report(&self, stats.open).await;
                    of_players.report(&self, stats.players).await;
                }
                Ok(Err(ServerEnded)) => return,
                // Agones replaces a server whose health is not reported.
                Err(_) => {}
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Reports that the server has ended, so that Agones deletes its pod.
    pub(crate) async fn shutdown(&self) {
        if let Err(failure) = self.send(HttpMethod::Post, "/shutdown", json!({})).await {
            tracing::warn!(%failure, "the Agones sidecar does not accept the shutdown");
        }
    }

    /// Returns whether the sidecar responds. The error is a message.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let failed = |failure: SidecarFailure| format!("{}/gameserver: {failure}", self.base);
        self.send(HttpMethod::Get, "/gameserver", Value::Null).await.map_err(failed)
    }

    async fn report_ready(&self) {
        let mut failures = 0_u32;
        while let Err(failure) = self.send(HttpMethod::Post, "/ready", json!({})).await {
            failures += 1;
            if failures == 1 {
                tracing::warn!(%failure, sidecar = self.base, "the Agones sidecar does not accept that the server is ready; trying again every second");
            }
            tokio::time::sleep(READY_INTERVAL).await;
        }
        tracing::info!(
            sidecar = self.base,
            failures,
            "the Agones sidecar knows that the server is ready"
        );
    }

    async fn send(
        &self,
        method: HttpMethod,
        path: &str,
        body: Value,
    ) -> Result<(), SidecarFailure> {
        let url = HttpUrl::new(&format!("{}{path}", self.base));
        let url = url.map_err(|_| SidecarFailure::Http(HttpFailure::Unreachable))?;
        let mut request = HttpRequest::new(method, url);
        if !body.is_null() {
            request.headers = vec![("content-type", "application/json".to_owned())];
            request.body = body.to_string().into_bytes();
        }
        let response = self.client.send(request).await.map_err(SidecarFailure::Http)?;
        match response.status {
            200..300 => Ok(()),
            status => Err(SidecarFailure::Status(status)),
        }
    }
}

/// Returns the port of the sidecar; `None` if it is off. The error is a message.
fn port(config: &AgonesConfig, variable: Option<String>) -> Result<Option<u16>, String> {
    if !config.enabled {
        return Ok(None);
    }
    let Some(text) = variable.filter(|text| !text.is_empty()) else {
        return Ok(Some(DEFAULT_PORT));
    };
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(Some(port)),
        _ => Err(format!("AGONES_SDK_HTTP_PORT must be a port, not {text:?}")),
    }
}

impl Counter {
    fn new(name: &'static str, capacity: u32) -> Self {
        Self { name, capacity, reported: None, is_missing: false }
    }

    /// Reports a value that has changed.
    async fn report(&mut self, agones: &Agones, count: usize) {
        if self.is_missing || self.reported == Some(count) {
            return;
        }
        let path = format!("/v1beta1/counters/{}", self.name);
        // Both are texts: they are 64-bit integers.
        let body = json!({ "count": count.to_string(), "capacity": self.capacity.to_string() });
        match agones.send(HttpMethod::Patch, &path, body).await {
            Ok(()) => self.reported = Some(count),
            Err(SidecarFailure::Status(404)) => {
                tracing::info!(
                    counter = self.name,
                    "the GameServer has no such counter; add it to spec.counters"
                );
                self.is_missing = true;
            }
            Err(failure) => {
                tracing::debug!(%failure, counter = self.name, "the Agones sidecar does not accept a counter");
            }
        }
    }
}

/// The reason why the sidecar has not accepted a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SidecarFailure {
    Http(HttpFailure),
    Status(u16),
}

impl std::fmt::Display for SidecarFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Http(failure) => failure.fmt(f),
            Self::Status(status) => write!(f, "its status is {status}"),
        }
    }
}

/// Time between two reports of the health. Agones expects one every five seconds by default.
const INTERVAL: Duration = Duration::from_secs(2);
/// Time between two attempts to report that the server is ready.
const READY_INTERVAL: Duration = Duration::from_secs(1);
/// Port of the sidecar if `AGONES_SDK_HTTP_PORT` is not set.
const DEFAULT_PORT: u16 = 9_358;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_is_that_of_the_environment_if_the_sidecar_is_used() {
        let of =
            |enabled, text: Option<&str>| port(&AgonesConfig { enabled }, text.map(str::to_owned));
        assert_eq!(of(false, Some("no port")), Ok(None));
        assert_eq!((of(true, None), of(true, Some(""))), (Ok(Some(9_358)), Ok(Some(9_358))));
        assert_eq!(of(true, Some("7000")), Ok(Some(7_000)));
        for wrong in ["0", "65536", "x"] {
            assert!(of(true, Some(wrong)).unwrap_err().contains(wrong));
        }
    }
}
