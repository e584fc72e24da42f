//! The cluster of the configuration.

use super::ClusterNode;
use crate::config::ClusterConfig;

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

/// Checks NATS if there is a cluster, and returns its version.
///
/// # Errors
///
/// As [`join`].
pub(crate) async fn check(config: &ClusterConfig) -> Result<Option<String>, String> {
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
