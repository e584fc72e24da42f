//! Checks of NATS, which connects the servers of a cluster.

use std::time::Duration;

use mp_cluster::VERSION;
use mp_cluster::limits::{LEASE_MARGIN, REQUEST_TIMEOUT};

use crate::cluster::{self, NatsFacts};
use crate::config::Config;

use super::finding::Finding;

/// The state of NATS; `None` if there is no cluster. The error is a message.
#[derive(Clone, Debug)]
pub(super) struct ClusterFacts(Result<Option<NatsFacts>, String>);

impl ClusterFacts {
    /// Connects to NATS as a node, opens the directory, reads the clock of NATS, and sends a
    /// message to itself.
    pub(super) async fn gather(config: &Config) -> Self {
        Self(cluster::check(&config.cluster).await)
    }
}

/// Checks NATS, if there is a cluster.
pub(super) fn check(ClusterFacts(result): &ClusterFacts) -> Vec<Finding> {
    match result {
        Ok(None) => Vec::new(),
        Ok(Some(facts)) => vec![
            check_round_trip(facts),
            check_clock(facts.ahead_micros),
            check_versions(&facts.node_versions),
        ],
        Err(message) => vec![Finding::error(
            CLUSTER,
            message.clone(),
            "the server does not start",
            "correct [cluster] or NATS; or omit cluster.servers, and the server is alone",
        )],
    }
}

fn check_round_trip(NatsFacts { version, round_trip, .. }: &NatsFacts) -> Finding {
    let text = format!(
        "NATS {version} has JetStream, and its user the permissions of a node; a request takes {}",
        millis(*round_trip)
    );
    if *round_trip <= ROUND_TRIP_MAX {
        return Finding::ok(CLUSTER, text);
    }
    let why = format!(
        "a request that is not answered within {} has failed, and the node loses its lease and its \
         rooms if three in a row have",
        millis(REQUEST_TIMEOUT)
    );
    let fix = "run NATS near the servers, with a disk of its own";
    Finding::warning(CLUSTER, text, why, fix)
}

fn check_clock(ahead_micros: i64) -> Finding {
    let difference = Duration::from_micros(ahead_micros.unsigned_abs());
    let direction = if ahead_micros < 0 { "behind" } else { "ahead of" };
    let text = format!("the clock of NATS is {} {direction} this one", millis(difference));
    if difference <= CLOCK_DIFFERENCE_MAX {
        return Finding::ok(CLUSTER_CLOCK, text);
    }
    Finding::warning(
        CLUSTER_CLOCK,
        text,
        "one of them is wrong; if that of NATS jumps when it is corrected, nodes lose their rooms, \
         or two nodes serve a room for a moment",
        "let a time service that slews set both: timedatectl set-ntp true, or chrony without makestep",
    )
}

fn check_versions(nodes: &[u8]) -> Finding {
    let is_other = |version: &&u8| version.abs_diff(VERSION) > 1;
    let Some(other) = nodes.iter().find(is_other) else {
        let text =
            format!("{} servers of the cluster run, all of a version that fits", nodes.len());
        return Finding::ok(CLUSTER_VERSION, text);
    };
    Finding::error(
        CLUSTER_VERSION,
        format!("a server of the cluster sends frames of version {other}, and this one {VERSION}"),
        "they refuse each other's players and frames; neighboring versions work together",
        "upgrade all servers to a version in between first",
    )
}

/// Returns a time as text.
fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}

const CLUSTER: &str = "cluster";
const CLUSTER_CLOCK: &str = "cluster-clock";
const CLUSTER_VERSION: &str = "cluster-version";

/// Round trip from which a node that is busy as well may miss the time of a request.
const ROUND_TRIP_MAX: Duration = Duration::from_millis(REQUEST_TIMEOUT.as_millis() as u64 / 2);
/// Difference beyond which a correction of the clock of NATS exceeds the margin of leases.
const CLOCK_DIFFERENCE_MAX: Duration = LEASE_MARGIN;

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn facts(ahead_micros: i64, round_trip: u64) -> NatsFacts {
        let (version, round_trip) = ("2.15.0".to_owned(), Duration::from_millis(round_trip));
        NatsFacts { version, ahead_micros, round_trip, node_versions: Vec::new() }
    }

    fn outcomes(result: Result<Option<NatsFacts>, String>) -> Vec<(&'static str, Level)> {
        check(&ClusterFacts(result)).iter().map(Finding::outcome).collect()
    }

    #[test]
    fn nats_must_be_usable_if_there_is_a_cluster() {
        assert_eq!(outcomes(Ok(None)), []);
        let usable = outcomes(Ok(Some(facts(0, 1))));
        let all = ["cluster", "cluster-clock", "cluster-version"];
        assert_eq!(usable, all.map(|check| (check, Level::Ok)));
        assert_eq!(outcomes(Err("no JetStream".to_owned())), [("cluster", Level::Error)]);
    }

    #[test]
    fn nats_that_is_far_away_is_a_warning() {
        let level = |round_trip| outcomes(Ok(Some(facts(0, round_trip))))[0].1;
        assert_eq!((level(350), level(351)), (Level::Ok, Level::Warning));
    }

    #[test]
    fn clocks_may_differ_by_the_margin_of_leases() {
        let level = |micros| outcomes(Ok(Some(facts(micros, 1))))[1].1;
        for (ok, wrong) in [(500_000, 500_001), (-500_000, -500_001)] {
            assert_eq!((level(ok), level(wrong)), (Level::Ok, Level::Warning));
        }
        let words = check_clock(-1_250_000).words();
        assert!(words.starts_with("the clock of NATS is 1250.0 ms behind this one | "), "{words}");
    }

    #[test]
    fn servers_of_neighboring_versions_fit() {
        let level = |nodes: &[u8]| check_versions(nodes).outcome().1;
        assert_eq!(level(&[VERSION, VERSION + 1, VERSION - 1]), Level::Ok);
        assert_eq!(level(&[VERSION, VERSION + 2]), Level::Error);
    }
}
