//! Performance goals.

use crate::measure::Measured;
use crate::sample::{Metric, median};

/// Bound on a metric of one of mp's contenders, or on its comparison with another contender's.
#[derive(Clone)]
pub(crate) struct Goal {
    metric: Metric,
    of: &'static str,
    versus: Versus,
    bound: Bound,
    /// Explanation if the goal is not met; empty if unknown.
    pub(crate) why_not: &'static str,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// Comparison with another contender.
#[derive(Clone, Copy)]
enum Versus {
    Nothing,
    /// The ratio to its value.
    Ratio(&'static str),
    /// The difference to its value.
    Difference(&'static str),
    /// Half of the difference: of round trips, the difference for one way.
    HalfDifference(&'static str),
}

/// Result of a goal.
pub(crate) struct GoalResult {
    pub(crate) goal: String,
    pub(crate) seen: String,
    pub(crate) met: Option<bool>,
}

impl Goal {
    /// Creates a goal: the metric of mp's contender `of` is at most `factor` times that of
    /// `versus`, by the median of the rounds' ratios.
    pub(crate) const fn ratio(
        metric: Metric,
        of: &'static str,
        factor: f64,
        versus: &'static str,
    ) -> Self {
        Self {
            metric,
            of,
            versus: Versus::Ratio(versus),
            bound: Bound::AtMost(factor),
            why_not: "",
        }
    }

    /// Creates a goal: the metric of mp's contender `of` is at most `most` more than that of
    /// `versus`, by the median of the rounds' differences.
    pub(crate) const fn difference(
        metric: Metric,
        of: &'static str,
        most: f64,
        versus: &'static str,
    ) -> Self {
        let versus = Versus::Difference(versus);
        Self { metric, of, versus, bound: Bound::AtMost(most), why_not: "" }
    }

    /// Creates a goal as [`difference`](Self::difference) for one way, where `metric` is the time
    /// of a round trip.
    pub(crate) const fn one_way_difference(
        metric: Metric,
        of: &'static str,
        most: f64,
        versus: &'static str,
    ) -> Self {
        let versus = Versus::HalfDifference(versus);
        Self { metric, of, versus, bound: Bound::AtMost(most), why_not: "" }
    }

    pub(crate) const fn at_most(metric: Metric, of: &'static str, most: f64) -> Self {
        Self { metric, of, versus: Versus::Nothing, bound: Bound::AtMost(most), why_not: "" }
    }

    pub(crate) const fn at_least(metric: Metric, of: &'static str, least: f64) -> Self {
        Self { metric, of, versus: Versus::Nothing, bound: Bound::AtLeast(least), why_not: "" }
    }

    /// Adds an explanation, which is shown while the goal is not met.
    pub(crate) const fn with_explanation(mut self, why_not: &'static str) -> Self {
        self.why_not = why_not;
        self
    }

    pub(crate) fn result(&self, measured: &Measured) -> GoalResult {
        let seen = match self.versus {
            Versus::Nothing => measured.median(self.of, self.metric),
            Versus::Ratio(versus) => ratio(measured, self.metric, self.of, versus),
            Versus::Difference(versus) => difference(measured, self.metric, self.of, versus),
            Versus::HalfDifference(versus) => {
                difference(measured, self.metric, self.of, versus).map(|value| value / 2.0)
            }
        };
        let show = |value: f64| match self.versus {
            Versus::Nothing => self.metric.show(value),
            Versus::Ratio(versus) if value < 0.2 => format!("{value:.3} × {versus}"),
            Versus::Ratio(versus) => format!("{value:.2} × {versus}"),
            Versus::Difference(versus) => {
                format!("{} more than {versus}", self.metric.show(value))
            }
            Versus::HalfDifference(versus) => {
                format!("{} more than {versus}, one way", self.metric.show(value))
            }
        };
        let (sign, bound) = match self.bound {
            Bound::AtMost(most) => ("≤", most),
            Bound::AtLeast(least) => ("≥", least),
        };
        GoalResult {
            goal: format!("{}, {}: {sign} {}", self.of, self.metric.head(), show(bound)),
            seen: seen.map_or_else(|| "not measured".to_owned(), show),
            met: seen.map(|seen| match self.bound {
                Bound::AtMost(most) => seen <= most,
                Bound::AtLeast(least) => seen >= least,
            }),
        }
    }
}

/// Returns the median of the rounds' ratios. Temporary disturbances of the machine affect both
/// sides of a ratio.
pub(crate) fn ratio(measured: &Measured, metric: Metric, of: &str, to: &str) -> Option<f64> {
    let pairs = pairs(measured, metric, of, to)?;
    median(pairs.map(|(of, to)| of / to).filter(|ratio| ratio.is_finite()).collect())
}

/// Returns the median of the rounds' differences.
fn difference(measured: &Measured, metric: Metric, of: &str, to: &str) -> Option<f64> {
    median(pairs(measured, metric, of, to)?.map(|(of, to)| of - to).collect())
}

/// Returns the values of two contenders in the rounds in which both have one.
fn pairs(
    measured: &Measured,
    metric: Metric,
    of: &str,
    to: &str,
) -> Option<impl Iterator<Item = (f64, f64)>> {
    let (of, to) = (measured.samples(of)?, measured.samples(to)?);
    let pairs = of.iter().zip(to);
    Some(pairs.filter_map(move |(of, to)| {
        Some((of.as_ref()?.metric(metric)?, to.as_ref()?.metric(metric)?))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    #[test]
    fn added_latency_of_one_way_is_half_of_that_of_round_trips_in_the_same_round() {
        let round = |p50| Some(Sample { p50: Some(p50), ..Sample::default() });
        let contenders = vec![
            ("mp".to_owned(), vec![round(900.0), round(3_000.0), None]),
            ("direct".to_owned(), vec![round(500.0), round(2_000.0), round(1.0)]),
        ];
        let measured = Measured { contenders, ..Measured::default() };
        let result =
            |most| Goal::one_way_difference(Metric::P50, "mp", most, "direct").result(&measured);
        assert_eq!(result(400.0).seen, "0.35 ms more than direct, one way");
        assert_eq!((result(400.0).met, result(300.0).met), (Some(true), Some(false)));
        let most = Goal::difference(Metric::P50, "mp", 600.0, "direct").result(&measured);
        assert_eq!((most.seen.as_str(), most.met), ("0.70 ms more than direct", Some(false)));
    }
}
