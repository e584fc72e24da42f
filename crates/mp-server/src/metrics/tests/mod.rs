//! The rendered text, the dashboard and the documentation agree.

pub(crate) mod openmetrics;

use std::collections::BTreeSet;

use self::openmetrics::parse;
use super::collector::families;
use super::snapshot::Snapshot;
use super::*;

/// Returns the names of all exported samples, without the suffixes of histograms.
fn exported() -> BTreeSet<String> {
    let snapshot = Snapshot::take(&Metrics::default());
    families(&snapshot).iter().map(|family| family.sample_name()).collect()
}

/// Returns the names of metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("mp_") || word.starts_with("process_")).collect()
}

#[test]
fn an_idle_server_exports_valid_openmetrics() {
    let metrics = Metrics::default();
    metrics.count_reload(true);
    metrics.set_certificate_expiry(Some(1_900_000_000));
    let parsed = parse(&metrics.render()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(parsed.value("mp_config_reloads_total{result=\"ok\"}"), Some(1.0));
    assert_eq!(parsed.value("mp_certificate_expiry_timestamp_seconds"), Some(1_900_000_000.0));
    assert_eq!(parsed.value("mp_draining"), Some(0.0));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(parsed.value(&format!("mp_build_info{{version=\"{version}\"}}")), Some(1.0));
}

#[test]
fn names_have_base_units_and_few_labels() {
    let labels = ["actor", "direction", "kind", "le", "limit", "reason", "result", "transport"];
    let parsed = parse(&Metrics::default().render()).unwrap();
    for label in parsed.labels() {
        assert!(labels.contains(&label) || label == "version", "{label}");
    }
    for name in exported() {
        assert!(name.starts_with("mp_") || name.starts_with("process_"), "{name}");
        for unit in ["_ms", "_millis", "_us", "_kb", "_mb", "_percent"] {
            assert!(!name.contains(unit), "{name}");
        }
    }
}

#[test]
fn dashboard_names_only_exported_metrics() {
    let exported = exported();
    let of_dashboard = names(dashboard());
    assert!(of_dashboard.len() > 20, "{of_dashboard:?}");
    for name in of_dashboard {
        let base = name.strip_suffix("_bucket").unwrap_or(name);
        assert!(exported.contains(base), "the dashboard names {name}, which is not exported");
    }
}

#[test]
fn documentation_describes_exactly_the_exported_metrics() {
    let text = include_str!("../../../../../docs/operating/metrics.md");
    // The rows of its tables begin with a name.
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next());
    let documented: BTreeSet<_> =
        rows.filter(|name| name.contains('_')).map(str::to_owned).collect();
    assert_eq!(documented, exported());
}
