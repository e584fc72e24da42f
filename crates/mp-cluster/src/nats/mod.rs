//! A cluster on a NATS server (feature `nats`): its [bus](NatsBus), and in JetStream its
//! [directory](NatsDirectory) and the [snapshots](NatsSnapshots) of rooms.
//!
//! ```no_run
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! use mp_cluster::ClusterNodeId;
//! use mp_cluster::nats::{NatsConnection, NatsOptions};
//!
//! let options = NatsOptions::new(["nats://10.0.0.5:4222"], "europe".parse()?)?;
//! let connection = NatsConnection::open(&options, ClusterNodeId::new(1)).await?;
//! let directory = connection.directory().await?;
//! let bus = connection.into_bus().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The server needs version 2.11 or later and JetStream. [`NatsConnection::open`] and the methods
//! of the connection check this, the permissions of the user, and the streams, which they create if
//! they are absent. Later the connection is restored by itself, also to other servers of the list
//! and those that a NATS server announces.

mod bus;
mod clock;
mod connection;
mod directory;
mod error;
mod list;
mod options;
mod records;
mod snapshots;
mod stream;
mod version;

pub use self::bus::NatsBus;
pub use self::clock::NatsClock;
pub use self::connection::{NatsConnection, NatsServerInfo};
pub use self::directory::NatsDirectory;
pub use self::error::NatsError;
pub use self::options::{InvalidServerUrl, NatsOptions};
pub use self::snapshots::NatsSnapshots;
pub use crate::snapshots::{SnapshotStoreError, StoredSnapshot};
