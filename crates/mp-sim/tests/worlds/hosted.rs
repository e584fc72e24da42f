//! Worlds of a room whose host is one of its clients.

use std::time::Duration;

use mp_core::bug::{self, OnBug};
use mp_sim::hosted::simulate;

#[test]
fn worlds_of_hosted_rooms_are_clean_and_have_hosts_that_end() {
    let (mut promotions, mut late, mut kept, mut withheld) = (0, 0, 0, 0);
    for seed in 0..6 {
        let simulated = bug::with_policy(OnBug::Panic, || simulate(seed, Duration::from_secs(10)));
        let stats = simulated.unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        promotions += stats.promotions;
        late += stats.late_guests;
        kept += stats.kept_nodes;
        withheld += stats.withheld_nodes;
    }
    assert!(promotions >= 6 && kept > 20, "{promotions} promotions, {kept} kept nodes");
    assert!(late > 2 && withheld > 0, "{late} late guests, {withheld} withheld nodes");
}
