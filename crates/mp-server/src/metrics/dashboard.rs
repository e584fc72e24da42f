//! The Grafana dashboard that `mp-server dashboard` prints.

/// Returns the dashboard in Grafana's JSON format.
pub(crate) fn dashboard() -> &'static str {
    include_str!("../../grafana.json")
}
