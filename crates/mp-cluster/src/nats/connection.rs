//! [`NatsConnection`]: the connection of a node to NATS.

use std::future::ready;
use std::time::Duration;

use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, jetstream};

use super::records::Records;
use super::{
    NatsBus, NatsClock, NatsDirectory, NatsError, NatsOptions, NatsSnapshots, clock, stream,
    version,
};
use crate::bus::inbox::Inbox;
use crate::id::ClusterNodeId;
use crate::limits::FRAME_BYTES_MAX;

/// The connection of a node to a NATS server. The bus, the directory and the snapshots share it.
#[derive(Debug)]
pub struct NatsConnection {
    client: Client,
    options: NatsOptions,
    node: ClusterNodeId,
    inbox: Inbox,
}

/// Facts that a NATS server reports about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NatsServerInfo {
    /// The version, such as `2.15.0`.
    pub version: String,
    /// The name of the server.
    pub name: String,
    /// Maximum number of bytes of a message.
    pub payload_bytes_max: usize,
}

impl NatsConnection {
    /// Connects to the first server of the list that can be reached, within 5 s for each.
    ///
    /// # Errors
    ///
    /// [`NatsError`] if a file cannot be read, no server can be reached, the server refuses the
    /// user, is too old, or limits messages to fewer than [`FRAME_BYTES_MAX`] bytes.
    pub async fn open(options: &NatsOptions, node: ClusterNodeId) -> Result<Self, NatsError> {
        let inbox = Inbox::default();
        let client = connect(options, node, inbox.clone()).await?;
        inbox.set_connected(true);
        let connection = Self { client, options: options.clone(), node, inbox };
        let info = connection.server();
        version::check(&info.version)?;
        if info.payload_bytes_max < FRAME_BYTES_MAX + HEADERS_BYTES {
            let (bytes, needed) = (info.payload_bytes_max, FRAME_BYTES_MAX + HEADERS_BYTES);
            return Err(NatsError::SmallPayload { bytes, needed });
        }
        Ok(connection)
    }

    /// Returns the facts that the server reports about itself.
    pub fn server(&self) -> NatsServerInfo {
        let info = self.client.server_info();
        NatsServerInfo {
            version: info.version,
            name: info.server_name,
            payload_bytes_max: info.max_payload,
        }
    }

    /// Opens the directory of the cluster. Creates it if it is absent.
    ///
    /// # Errors
    ///
    /// [`NatsError::NoJetStream`], or [`NatsError::Stream`] if the user has no permission, or the
    /// stream has other settings.
    pub async fn directory(&self) -> Result<NatsDirectory, NatsError> {
        let context = self.context();
        let stream = stream::open(&context, stream::directory(&self.options)).await?;
        Ok(NatsDirectory::new(Records::new(context, stream), &self.options))
    }

    /// Opens the store of snapshots. Creates it if it is absent.
    ///
    /// # Errors
    ///
    /// As [`directory`](Self::directory).
    pub async fn snapshots(&self) -> Result<NatsSnapshots, NatsError> {
        let context = self.context();
        let stream = stream::open(&context, stream::snapshots(&self.options)).await?;
        Ok(NatsSnapshots::new(Records::new(context, stream), &self.options))
    }

    /// Compares the clock of NATS with that of this machine. The [directory](Self::directory) must
    /// exist.
    ///
    /// # Errors
    ///
    /// [`NatsError::Stream`] if the server does not respond within 5 s.
    pub async fn clock(&self) -> Result<NatsClock, NatsError> {
        clock::compare(&self.client, &stream::directory(&self.options).name).await
    }

    /// Subscribes the subjects of the node, and returns the bus of the cluster.
    ///
    /// # Errors
    ///
    /// [`NatsError::NotDelivered`] if the server does not deliver a message of this node to itself
    /// within 5 s: the user has no permission.
    pub async fn into_bus(self) -> Result<NatsBus, NatsError> {
        NatsBus::start(self.client, self.options, self.node, self.inbox).await
    }

    fn context(&self) -> jetstream::Context {
        let builder = ContextBuilder::new().timeout(SETUP_TIME).ack_timeout(SETUP_TIME);
        builder.build(self.client.clone())
    }
}

async fn connect(
    options: &NatsOptions,
    node: ClusterNodeId,
    inbox: Inbox,
) -> Result<Client, NatsError> {
    let servers = options.servers_text();
    let on_event = move |event| {
        handle_event(&inbox, &event);
        ready(())
    };
    let mut connect = ConnectOptions::new()
        .name(format!("mp {} {node}", options.cluster()))
        .custom_inbox_prefix(options.inbox())
        .connection_timeout(SETUP_TIME)
        .ping_interval(PING_INTERVAL)
        .client_capacity(CLIENT_MESSAGES)
        .subscription_capacity(SUBSCRIPTION_MESSAGES)
        .reconnect_delay_callback(move |attempt| reconnect_delay(node, attempt))
        .event_callback(on_event);
    connect = match options.user() {
        Some((user, Some(password))) => connect.user_and_password(user, password),
        Some((token, None)) => connect.token(token),
        None => connect,
    };
    if let Some(path) = options.credentials() {
        connect = connect.credentials_file(path).await.map_err(|error| {
            let (path, why) = (path.display().to_string(), error.to_string());
            NatsError::Credentials { path, why }
        })?;
    }
    if let Some(path) = options.ca() {
        // The client reads the file when it connects, and would report a TLS error.
        std::fs::read(path).map_err(|error| {
            let (path, why) = (path.display().to_string(), error.to_string());
            NatsError::Authorities { path, why }
        })?;
        connect = connect.add_root_certificates(path.to_owned());
    }
    connect.connect(options.servers()).await.map_err(|error| match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            NatsError::Unauthorized { servers }
        }
        _ => NatsError::Unreachable { servers, why: error.to_string() },
    })
}

fn handle_event(inbox: &Inbox, event: &Event) {
    match event {
        Event::Connected => {
            tracing::info!("connected to NATS");
            inbox.set_connected(true);
        }
        Event::Disconnected | Event::Closed => {
            if inbox.is_connected() {
                tracing::warn!("the connection to NATS is lost; connecting again");
            }
            inbox.set_connected(false);
        }
        Event::SlowConsumer(_) => inbox.count(|stats| stats.receive_queue_full += 1),
        // An operator's mistake, such as a permission that is missing.
        Event::ServerError(error) => tracing::debug!("NATS reports an error: {error}"),
        Event::ClientError(error) => tracing::debug!("NATS client: {error}"),
        Event::LameDuckMode | Event::Draining => {}
    }
}

/// Returns the time before an attempt to connect: from 50 ms on twice as long each time up to 2 s,
/// and up to 127 ms more, by which nodes do not connect at the same time.
fn reconnect_delay(node: ClusterNodeId, attempt: usize) -> Duration {
    let Some(doubled) = attempt.checked_sub(2) else { return Duration::ZERO };
    let spread = node.get().wrapping_mul(attempt as u64 | 1) % 128;
    let delay = Duration::from_millis(50 << doubled.min(6));
    delay.min(Duration::from_secs(2)) + Duration::from_millis(spread)
}

/// Time for a step when a node starts.
pub(super) const SETUP_TIME: Duration = Duration::from_secs(5);

/// Bytes that the headers of a message may take.
const HEADERS_BYTES: usize = 1024;

/// Interval of pings. After three without an answer the connection counts as lost, which is about
/// as long as a lease.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// Messages between the tasks of this crate and the client. Those of a connection that was lost are
/// sent when it is restored, so there are few.
const CLIENT_MESSAGES: usize = 64;

/// Received messages between the client and the task that passes them to the queue of the node.
const SUBSCRIPTION_MESSAGES: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_to_connect_are_up_to_two_seconds_apart() {
        let delay = |attempt| reconnect_delay(ClusterNodeId::new(77), attempt);
        assert_eq!((delay(0), delay(1)), (Duration::ZERO, Duration::ZERO));
        assert!(delay(2) >= Duration::from_millis(50) && delay(2) < Duration::from_millis(178));
        let longest = Duration::from_millis(2_127);
        assert!((3..1_000).all(|attempt| delay(attempt) <= longest));
        assert!(delay(1_000) >= Duration::from_secs(2) && delay(usize::MAX) <= longest);
    }
}
