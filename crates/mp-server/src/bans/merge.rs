//! Bans of the other nodes of a cluster.

use std::collections::BTreeSet;

use mp_cluster::directory::BanRecord;
use mp_core::UnixSeconds;
use mp_core::host::unix_now;

use super::{BanRegistry, BanTarget};

/// The consequences of the bans of a cluster for a server.
#[derive(Debug, Default)]
pub(crate) struct MergedBans {
    /// Targets that were not banned before.
    pub(crate) added: Vec<BanTarget>,
    /// Bans that the cluster does not have.
    pub(crate) missing: Vec<BanRecord>,
}

impl BanRegistry {
    /// Applies all bans of a cluster, and ends those that were lifted.
    pub(crate) async fn merge(&self, records: Vec<BanRecord>) -> MergedBans {
        let (now, mut merged) = (unix_now(), MergedBans::default());
        let is_over = |until: Option<UnixSeconds>| until.is_some_and(|until| until <= now);
        let targets =
            records.iter().filter_map(|record| Some((record.target.parse().ok()?, record)));
        let targets: Vec<(BanTarget, &BanRecord)> = targets.collect();
        let known: BTreeSet<_> = targets.iter().map(|(target, _)| target).collect();
        let mut bans = self.0.bans.lock().await;
        let missing =
            bans.iter().filter(|(target, until)| !known.contains(target) && !is_over(*until));
        merged.missing = missing.map(|(target, until)| ban_record(target, until, false)).collect();
        let mut has_changed = false;
        for (target, record) in targets {
            let before = bans.get(&target);
            if record.is_lifted {
                has_changed |= bans.remove(&target);
            } else if before != Some(record.until)
                && !is_over(record.until)
                && bans.insert(target.clone(), record.until)
            {
                has_changed = true;
                if before.is_none() {
                    merged.added.push(target);
                }
            }
        }
        if has_changed && let Err(error) = self.changed(&bans).await {
            tracing::warn!(%error, "bans of the cluster");
        }
        merged
    }
}

/// Returns the record of a ban in the directory of a cluster.
pub(crate) fn ban_record(
    target: &BanTarget,
    until: Option<UnixSeconds>,
    is_lifted: bool,
) -> BanRecord {
    BanRecord { target: target.to_string(), until, is_lifted }
}

#[cfg(test)]
mod tests {
    use mp_core::ConnectionGate;
    use mp_identity::Subject;

    use super::*;

    fn player(text: &str) -> BanTarget {
        BanTarget::Player(Subject::new(text).unwrap())
    }

    #[test]
    fn bans_of_the_cluster_are_applied_and_own_ones_are_reported() {
        let directory = tempfile::tempdir().unwrap();
        let path = Some(directory.path().join("bans"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let load = || BanRegistry::load(ConnectionGate::default(), path.clone()).unwrap();
        runtime.block_on(async {
            let bans = load();
            for target in ["own", "lifted", "both"] {
                bans.ban_until(player(target), None).await.unwrap();
            }
            let record = |target, until, is_lifted| ban_record(&player(target), until, is_lifted);
            let merged = bans
                .merge(vec![
                    record("new", None, false),
                    record("lifted", None, true),
                    record("both", Some(u64::MAX), false),
                    record("over", Some(1), false),
                    BanRecord { target: "unknown".to_owned(), until: None, is_lifted: false },
                ])
                .await;
            assert_eq!(merged.added, [player("new")]);
            assert_eq!(merged.missing, [record("own", None, false)]);
            let expected = [("both", Some(u64::MAX)), ("new", None), ("own", None)]
                .map(|(subject, until)| (Subject::new(subject).unwrap(), until));
            for bans in [bans, load()] {
                assert_eq!(bans.players().await, expected, "also after a restart");
            }
        });
    }
}
