//! The cluster of the configuration.

use std::time::Duration;

use super::ClusterNode;
use crate::config::ClusterConfig;

/// The state of NATS, as a node finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NatsFacts {
    /// The version, such as `2.15.0`.
    pub(crate) version: String,
    /// Time of NATS minus that of this machine, in microseconds.
    pub(crate) ahead_micros: i64,
    /// Shortest round trip of a request.
    pub(crate) round_trip: Duration,
    /// Versions of the frames that the nodes of the cluster send.
    pub(crate) node_versions: Vec<u8>,
}

/// Joins the cluster of the configuration; returns `None` if there is none.
///
/// # Errors
///
/// Returns a message if NATS cannot be used, or the program was built without it.
pub(crate) async fn join(config: &ClusterConfig) -> Result<Option<ClusterNode>, String> {
    if config.servers.is_empty() {
        return Ok(None);
    }
    #[cfg(feature = "cluster")]
    return super::nats::join(config).await.map(Some);
    #[cfg(not(feature = "cluster"))]
    Err(WITHOUT_CLUSTER.to_owned())
}

/// Checks NATS if there is a cluster, and returns its state.
///
/// # Errors
///
/// As [`join`].
pub(crate) async fn check(config: &ClusterConfig) -> Result<Option<NatsFacts>, String> {
    if config.servers.is_empty() {
        return Ok(None);
    }
    #[cfg(feature = "cluster")]
    return super::nats::check(config).await.map(Some);
    #[cfg(not(feature = "cluster"))]
    Err(WITHOUT_CLUSTER.to_owned())
}

#[cfg(not(feature = "cluster"))]
const WITHOUT_CLUSTER: &str = "cluster.servers is set, but this mp-server was built without \
    clusters: build it with --features cluster";
