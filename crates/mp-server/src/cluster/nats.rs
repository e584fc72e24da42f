//! Nodes that NATS connects.

use mp_cluster::ClusterNodeId;
use mp_cluster::directory::{Directory, EntryKind, NodeRecord, Operation, OperationOutcome};
use mp_cluster::nats::{NatsConnection, NatsDirectory, NatsOptions};
use mp_core::Rng;
use mp_core::host::{SystemClock, os_seed};

use super::{ClusterNode, NatsFacts};
use crate::config::ClusterConfig;

/// Connects to NATS, opens the directory of the cluster, and returns a node that has not started.
///
/// # Errors
///
/// Returns a message if NATS cannot be used.
pub(super) async fn join(config: &ClusterConfig) -> Result<ClusterNode, String> {
    let (id, connection) = connect(config).await?;
    let (cluster, nats) = (config.name.as_str(), connection.server().version);
    let directory = connection.directory().await.map_err(|error| error.to_string())?;
    let snapshots = connection.snapshots().await.map_err(|error| error.to_string())?;
    let bus = connection.into_bus().await.map_err(|error| error.to_string())?;
    tracing::info!(cluster, node = %id, nats, "joined the cluster");
    let node = ClusterNode::new(config.name.id(), id, bus, directory).snapshots(snapshots);
    let node = node.snapshot_interval(config.snapshot_interval);
    let node = node.snapshot_max_bytes(config.snapshot_max_bytes);
    Ok(node.without_snapshot(config.without_snapshot))
}

/// Checks that a node can use NATS, and returns its state.
///
/// # Errors
///
/// Returns a message if NATS cannot be used.
pub(super) async fn check(config: &ClusterConfig) -> Result<NatsFacts, String> {
    let (_, connection) = connect(config).await?;
    let version = connection.server().version;
    let directory = connection.directory().await.map_err(|error| error.to_string())?;
    connection.snapshots().await.map_err(|error| error.to_string())?;
    let node_versions = node_versions(&directory).await?;
    let clock = connection.clock().await.map_err(|error| error.to_string())?;
    connection.into_bus().await.map_err(|error| error.to_string())?;
    let (ahead_micros, round_trip) = (clock.ahead_micros, clock.round_trip);
    Ok(NatsFacts { version, ahead_micros, round_trip, node_versions })
}

/// Returns the versions of the nodes that are registered.
async fn node_versions(directory: &NatsDirectory) -> Result<Vec<u8>, String> {
    let operation = Operation::List(EntryKind::Node);
    match directory.apply(SystemClock::new().now(), operation).await {
        Ok(OperationOutcome::Entries(nodes)) => {
            let records = nodes.iter().filter_map(|(_, node)| NodeRecord::decode(&node.value));
            Ok(records.map(|record| record.version).collect())
        }
        _ => Err("the directory of the cluster does not respond".to_owned()),
    }
}

async fn connect(config: &ClusterConfig) -> Result<(ClusterNodeId, NatsConnection), String> {
    let urls = config.servers.iter().map(String::as_str);
    let options = NatsOptions::new(urls, config.name.clone()).map_err(|error| error.to_string())?;
    let mut options = options.replicas(config.replicas);
    if let Some((user, password)) = &config.user {
        options = options.user_and_password(user.clone(), password.reveal().to_owned());
    }
    if let Some(path) = &config.credentials_file {
        options = options.credentials_file(path.clone());
    }
    if let Some(path) = &config.ca_file {
        options = options.ca_file(path.clone());
    }
    let seed = os_seed().map_err(|error| format!("cannot read random bytes: {error}"))?;
    let id = ClusterNodeId::random(&mut Rng::from_seed(seed));
    let connection = NatsConnection::open(&options, id).await.map_err(|error| error.to_string())?;
    Ok((id, connection))
}
