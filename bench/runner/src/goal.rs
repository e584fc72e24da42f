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
    /// Contender without a protocol, and the bound on the ratio to it. Replaces a bound that this
    /// contender misses.
    floor: Option<(&'static str, f64)>,
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
        Self::new(metric, of, Versus::Ratio(versus), Bound::AtMost(factor))
    }

    /// Creates a goal: the metric of mp's contender `of` is at most `most` more than that of
    /// `versus`, by the median of the rounds' differences.
    pub(crate) const fn difference(
        metric: Metric,
        of: &'static str,
        most: f64,
        versus: &'static str,
    ) -> Self {
        Self::new(metric, of, Versus::Difference(versus), Bound::AtMost(most))
    }

    /// Creates a goal as [`difference`](Self::difference) for one way, where `metric` is the time
    /// of a round trip.
    pub(crate) const fn one_way_difference(
        metric: Metric,
        of: &'static str,
        most: f64,
        versus: &'static str,
    ) -> Self {
        Self::new(metric, of, Versus::HalfDifference(versus), Bound::AtMost(most))
    }

    pub(crate) const fn at_most(metric: Metric, of: &'static str, most: f64) -> Self {
        Self::new(metric, of, Versus::Nothing, Bound::AtMost(most))
    }

    pub(crate) const fn at_least(metric: Metric, of: &'static str, least: f64) -> Self {
        Self::new(metric, of, Versus::Nothing, Bound::AtLeast(least))
    }

    const fn new(metric: Metric, of: &'static str, versus: Versus, bound: Bound) -> Self {
        Self { metric, of, versus, bound, floor: None, why_not: "" }
    }

    /// Replaces the bound by `factor` times the contender `floor`, if that does not meet the bound
    /// in the same run either.
    pub(crate) const fn or_floor(mut self, floor: &'static str, factor: f64) -> Self {
        self.floor = Some((floor, factor));
        self
    }

    /// Adds an explanation, which is shown while the goal is not met.
    pub(crate) const fn with_explanation(mut self, why_not: &'static str) -> Self {
        self.why_not = why_not;
        self
    }

    pub(crate) fn result(&self, measured: &Measured) -> GoalResult {
        if let (Some((floor, factor)), Versus::Ratio(versus)) = (self.floor, self.versus)
            && let Some(least) = ratio(measured, self.metric, floor, versus)
            && !self.bound.is_met(least)
        {
            let goal = Self::ratio(self.metric, self.of, factor, floor).result(measured);
            let missed = self.text();
            let why = format!("impossible: {floor} is {}", show_ratio(least, versus));
            return GoalResult { goal: format!("{} ({missed} is {why})", goal.goal), ..goal };
        }
        let seen = match self.versus {
            Versus::Nothing => measured.median(self.of, self.metric),
            Versus::Ratio(versus) => ratio(measured, self.metric, self.of, versus),
            Versus::Difference(versus) => difference(measured, self.metric, self.of, versus),
            Versus::HalfDifference(versus) => {
                difference(measured, self.metric, self.of, versus).map(|value| value / 2.0)
            }
        };
        GoalResult {
            goal: format!("{}, {}: {}", self.of, self.metric.head(), self.text()),
            seen: seen.map_or_else(|| "not measured".to_owned(), |seen| self.show(seen)),
            met: seen.map(|seen| self.bound.is_met(seen)),
        }
    }

    /// Returns the text of the bound.
    fn text(&self) -> String {
        match self.bound {
            Bound::AtMost(most) => format!("≤ {}", self.show(most)),
            Bound::AtLeast(least) => format!("≥ {}", self.show(least)),
        }
    }

    fn show(&self, value: f64) -> String {
        match self.versus {
            Versus::Nothing => self.metric.show(value),
            Versus::Ratio(versus) => show_ratio(value, versus),
            Versus::Difference(versus) => {
                format!("{} more than {versus}", self.metric.show(value))
            }
            Versus::HalfDifference(versus) => {
                format!("{} more than {versus}, one way", self.metric.show(value))
            }
        }
    }
}

impl Bound {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

fn show_ratio(value: f64, versus: &str) -> String {
    if value < 0.2 { format!("{value:.3} × {versus}") } else { format!("{value:.2} × {versus}") }
}

/// Contender without a protocol: the lower bound of the machine.
pub(crate) const FLOOR: &str = "floor";

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

    fn measured(values: &[(&str, f64)]) -> Measured {
        let sample = |cpu| Some(Sample { cpu: Some(cpu), ..Sample::default() });
        let contenders = values.iter().map(|&(name, cpu)| (name.to_owned(), vec![sample(cpu)]));
        Measured { contenders: contenders.collect(), ..Measured::default() }
    }

    #[test]
    fn goal_that_the_floor_misses_becomes_a_ratio_to_the_floor() {
        let goal = Goal::ratio(Metric::Cpu, "mp", 0.75, "C ENet").or_floor(FLOOR, 1.3);
        let result = goal.result(&measured(&[("mp", 110.0), ("C ENet", 100.0), ("floor", 92.0)]));
        let impossible = "≤ 0.75 × C ENet is impossible: floor is 0.92 × C ENet";
        assert_eq!(result.goal, format!("mp, CPU ns/op: ≤ 1.30 × floor ({impossible})"));
        assert_eq!((result.seen.as_str(), result.met), ("1.20 × floor", Some(true)));
    }

    #[test]
    fn goal_stays_if_the_floor_meets_it_or_was_not_measured() {
        let goal = Goal::ratio(Metric::Cpu, "mp", 0.75, "C ENet").or_floor(FLOOR, 1.3);
        let own = [("mp", 80.0), ("C ENet", 100.0)];
        for values in [&own[..], &[own[0], own[1], ("floor", 70.0)]] {
            let result = goal.result(&measured(values));
            assert_eq!(result.goal, "mp, CPU ns/op: ≤ 0.75 × C ENet");
            assert_eq!((result.seen.as_str(), result.met), ("0.80 × C ENet", Some(false)));
        }
    }
}
