//! Worlds of players who resume their sessions.

use std::time::Duration;

use mp_core::bug::{self, OnBug};
use mp_sim::resumes::simulate;

#[test]
fn worlds_of_resumptions_are_clean_and_have_players_who_are_late() {
    let (mut kept, mut resumed, mut expired, mut drops) = (0, 0, 0, 0);
    for seed in 0..4 {
        let simulated = bug::with_policy(OnBug::Panic, || simulate(seed, Duration::from_secs(10)));
        let stats = simulated.unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        kept += stats.kept_peers;
        resumed += stats.resumed_peers;
        expired += stats.expired_keeps;
        drops += stats.kept_drops;
    }
    assert!(kept > 8 && resumed > 2, "{kept} peers were kept, {resumed} have resumed");
    assert!(expired > 2 && drops > 20, "{expired} left, {drops} packets were dropped");
}
