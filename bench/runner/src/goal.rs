//! Performance goals.

use crate::measure::Measured;
use crate::sample::{Metric, median};

/// Bound on a metric of one of mp's contenders, or on its ratio to another contender's.
#[derive(Clone)]
pub(crate) struct Goal {
    metric: Metric,
    of: &'static str,
    versus: Option<&'static str>,
    bound: Bound,
    /// Explanation if the goal is not met; empty if unknown.
    pub(crate) why_not: &'static str,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
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
        Self { metric, of, versus: Some(versus), bound: Bound::AtMost(factor), why_not: "" }
    }

    pub(crate) const fn at_most(metric: Metric, of: &'static str, most: f64) -> Self {
        Self { metric, of, versus: None, bound: Bound::AtMost(most), why_not: "" }
    }

    pub(crate) const fn at_least(metric: Metric, of: &'static str, least: f64) -> Self {
        Self { metric, of, versus: None, bound: Bound::AtLeast(least), why_not: "" }
    }

    /// Adds an explanation, which is shown while the goal is not met.
    pub(crate) const fn with_explanation(mut self, why_not: &'static str) -> Self {
        self.why_not = why_not;
        self
    }

    pub(crate) fn result(&self, measured: &Measured) -> GoalResult {
        let seen = match self.versus {
            Some(versus) => ratio(measured, self.metric, self.of, versus),
            None => measured.median(self.of, self.metric),
        };
        let show = |value: f64| match self.versus {
            Some(versus) if value < 0.2 => format!("{value:.3} × {versus}"),
            Some(versus) => format!("{value:.2} × {versus}"),
            None => self.metric.show(value),
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
    let (of, to) = (measured.samples(of)?, measured.samples(to)?);
    let ratios = of
        .iter()
        .zip(to)
        .filter_map(|(of, to)| Some(of.as_ref()?.metric(metric)? / to.as_ref()?.metric(metric)?));
    median(ratios.filter(|ratio| ratio.is_finite()).collect())
}
