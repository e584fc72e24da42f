//! Check of NATS, which connects the servers of a cluster.

use crate::cluster;
use crate::config::Config;

use super::finding::Finding;

/// The version of NATS; `None` if there is no cluster. The error is a message.
#[derive(Clone, Debug)]
pub(super) struct ClusterFacts(Result<Option<String>, String>);

impl ClusterFacts {
    /// Connects to NATS as a node, opens the directory, and sends a message to itself.
    pub(super) async fn gather(config: &Config) -> Self {
        Self(cluster::check(&config.cluster).await)
    }
}

/// Checks NATS, if there is a cluster.
pub(super) fn check(ClusterFacts(result): &ClusterFacts) -> Option<Finding> {
    Some(match result {
        Ok(None) => return None,
        Ok(Some(version)) => Finding::ok(
            CLUSTER,
            format!("NATS {version} has JetStream, and its user the permissions of a node"),
        ),
        Err(message) => Finding::error(
            CLUSTER,
            message.clone(),
            "the server does not start",
            "correct [cluster] or NATS; or omit cluster.servers, and the server is alone",
        ),
    })
}

const CLUSTER: &str = "cluster";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn nats_must_be_usable_if_there_is_a_cluster() {
        let outcome = |result| check(&ClusterFacts(result)).map(|finding| finding.outcome());
        assert_eq!(outcome(Ok(None)), None);
        assert_eq!(outcome(Ok(Some("2.15.0".to_owned()))), Some(("cluster", Level::Ok)));
        assert_eq!(outcome(Err("no JetStream".to_owned())), Some(("cluster", Level::Error)));
    }
}
