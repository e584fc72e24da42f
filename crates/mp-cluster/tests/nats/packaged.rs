//! The configuration of NATS in `packaging/cluster`, and the sums of the page about its capacity.

use std::path::Path;
use std::process::Command;

use mp_cluster::limits::{
    BEAT_INTERVAL, BUS_QUEUE_MESSAGES_MAX, FULL_SCAN_INTERVAL, LINKS_MAX, NODES_MAX,
    RENEWAL_INTERVAL, ROOMS_MAX, SCAN_INTERVAL,
};

use crate::server::program;

/// Returns the lines of the permissions in a text.
fn permissions(text: &str) -> Vec<&str> {
    let lines = text.lines().skip_while(|line| line.trim() != "permissions: {");
    lines.take_while(|line| line.trim() != "}").map(str::trim).collect()
}

#[test]
fn configuration_of_the_package_is_valid_and_has_the_permissions_of_the_page_for_operators() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("packaging/cluster/nats.conf");
    let mut check = Command::new(program());
    check.arg("-t").arg("--config").arg(&path);
    let checked = check.env("NATS_NAME", "nats-0").env("NATS_PASSWORD", "change-me").output();
    let checked = checked.unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let packaged = std::fs::read_to_string(&path).unwrap();
    let page = std::fs::read_to_string(root.join("docs/operating/cluster.md")).unwrap();
    assert_eq!(permissions(&packaged), permissions(&page));
    assert!(permissions(&page).len() > 10);
}

/// Returns a number with commas.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(String::from_utf8_lossy).collect::<Vec<_>>().join(",")
}

#[test]
fn sums_of_the_page_about_capacity_follow_from_the_limits() {
    let page = include_str!("../../../../docs/operating/cluster-capacity.md");
    let row = |name: &str, formula: &str, of: &dyn Fn(f64, f64, f64) -> f64| {
        let sums = [(20.0, 6_250.0, 100_000.0), (200.0, 62_500.0, 1_000_000.0)];
        let [one, all] = sums.map(|(nodes, rooms, players)| grouped(of(nodes, rooms, players)));
        let row = format!("| {name} | {formula} | {one} | {all} |");
        assert!(page.contains(&row), "the page has no row {row}");
    };
    let (renewal, scan) = (RENEWAL_INTERVAL.as_secs_f64(), SCAN_INTERVAL.as_secs_f64());
    let (full_scan, beats) =
        (scan * f64::from(FULL_SCAN_INTERVAL), 2.0 / BEAT_INTERVAL.as_secs_f64());
    row("renewals of leases", &format!("servers ÷ {renewal} s"), &|nodes, _, _| nodes / renewal);
    row("entries read by scans of servers", &format!("servers² ÷ {scan} s"), &|nodes, _, _| {
        nodes * nodes / scan
    });
    let formula = format!("rooms ÷ {full_scan} s");
    row("entries read by scans of rooms", &formula, &|_, rooms, _| rooms / full_scan);
    let formula = "servers × rooms";
    row("entries read when a server fails", formula, &|nodes, rooms, _| nodes * rooms);
    let formula = format!("players × 0.05 × {beats}");
    row("frames of links without packets, 5 %", &formula, &|_, _, players| players * 0.05 * beats);
    for (name, limit) in [
        ("LINKS_MAX", LINKS_MAX),
        ("ROOMS_MAX", ROOMS_MAX),
        ("NODES_MAX", NODES_MAX),
        ("BUS_QUEUE_MESSAGES_MAX", BUS_QUEUE_MESSAGES_MAX),
    ] {
        let cell = format!("(`{name}`) | {} |", grouped(limit as f64));
        assert!(page.contains(&cell), "the page has no cell {cell}");
    }
}
