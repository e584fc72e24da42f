//! Families of metrics: names, types, units and values.

use std::time::Duration;

use mp_core::DurationHistogram;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// Labels of a value.
pub(super) type Labels = Vec<(&'static str, &'static str)>;

/// A family and its values.
#[derive(Clone, Debug)]
pub(super) struct Family {
    /// Name without unit and suffix.
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    Info(Labels),
    Counters(Vec<(Labels, f64)>),
    Gauges(Vec<(Labels, f64)>),
    Histograms(Vec<(Labels, DurationHistogram)>),
}

impl Family {
    /// Returns a family that describes the server by the labels of a constant.
    pub(super) fn info(name: &'static str, help: &'static str, labels: Labels) -> Self {
        Self { name, help, unit: None, values: Values::Info(labels) }
    }

    /// Returns counters.
    pub(super) fn counters(
        name: &'static str,
        help: &'static str,
        values: impl IntoIterator<Item = (Labels, u64)>,
    ) -> Self {
        let values = values.into_iter().map(|(labels, count)| (labels, count as f64));
        Self { name, help, unit: None, values: Values::Counters(values.collect()) }
    }

    /// Returns a counter of time, if it is known.
    pub(super) fn counter_of_seconds(
        name: &'static str,
        help: &'static str,
        value: Option<Duration>,
    ) -> Self {
        let values = value.map(|value| (vec![], value.as_secs_f64())).into_iter().collect();
        Self { name, help, unit: Some(Unit::Seconds), values: Values::Counters(values) }
    }

    /// Returns gauges.
    pub(super) fn gauges(
        name: &'static str,
        help: &'static str,
        values: impl IntoIterator<Item = (Labels, f64)>,
    ) -> Self {
        Self { name, help, unit: None, values: Values::Gauges(values.into_iter().collect()) }
    }

    /// Returns histograms of durations.
    pub(super) fn histograms(
        name: &'static str,
        help: &'static str,
        values: impl IntoIterator<Item = (Labels, DurationHistogram)>,
    ) -> Self {
        let values = Values::Histograms(values.into_iter().collect());
        Self { name, help, unit: Some(Unit::Seconds), values }
    }

    pub(super) fn bytes(self) -> Self {
        Self { unit: Some(Unit::Bytes), ..self }
    }

    pub(super) fn seconds(self) -> Self {
        Self { unit: Some(Unit::Seconds), ..self }
    }

    /// Returns the name of the samples that a query uses, for example `mp_bugs_total`.
    #[cfg(test)]
    pub(super) fn sample_name(&self) -> String {
        let unit = self.unit.as_ref().map(|unit| format!("_{}", unit.as_str()));
        let suffix = match self.values {
            Values::Info(_) => "_info",
            Values::Counters(_) => "_total",
            Values::Gauges(_) | Values::Histograms(_) => "",
        };
        format!("{}{}{suffix}", self.name, unit.unwrap_or_default())
    }

    /// Writes the family, unless it has no values.
    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> std::fmt::Result {
        let Self { name, help, unit, values } = self;
        let mut metric =
            encoder.encode_descriptor(name, help, unit.as_ref(), values.metric_type())?;
        match values {
            Values::Info(labels) => metric.encode_info(labels),
            Values::Counters(values) => each(&mut metric, values, |metric, value| {
                metric.encode_counter::<NoLabelSet, _, f64>(value, None)
            }),
            Values::Gauges(values) => {
                each(&mut metric, values, |metric, value| metric.encode_gauge(value))
            }
            Values::Histograms(values) => each(&mut metric, values, |metric, histogram| {
                let bound = |bound: Option<Duration>| {
                    bound.map_or(f64::INFINITY, |bound| bound.as_secs_f64())
                };
                let buckets = histogram.buckets().map(|(upper, count)| (bound(upper), count));
                let buckets = buckets.collect::<Vec<_>>();
                let (sum, count) = (histogram.sum().as_secs_f64(), histogram.count());
                metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
            }),
        }
    }
}

impl Values {
    fn metric_type(&self) -> MetricType {
        match self {
            Self::Info(_) => MetricType::Info,
            Self::Counters(_) => MetricType::Counter,
            Self::Gauges(_) => MetricType::Gauge,
            Self::Histograms(_) => MetricType::Histogram,
        }
    }
}

/// Encodes each value with its labels.
fn each<T>(
    metric: &mut MetricEncoder<'_>,
    values: &[(Labels, T)],
    encode: impl Fn(&mut MetricEncoder<'_>, &T) -> std::fmt::Result,
) -> std::fmt::Result {
    for (labels, value) in values {
        match &labels[..] {
            [] => encode(metric, value)?,
            _ => encode(&mut metric.encode_family(labels)?, value)?,
        }
    }
    Ok(())
}
