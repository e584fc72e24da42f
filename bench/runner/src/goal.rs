//! What is to be reached, and whether it was.

use crate::measure::Measured;
use crate::sample::{Figure, median};

/// A bound on a figure of one of mp's contenders, or on its ratio to another's.
#[derive(Clone)]
pub(crate) struct Goal {
    figure: Figure,
    of: &'static str,
    versus: Option<&'static str>,
    bound: Bound,
    /// Why it is not met, where it is known.
    pub(crate) why_not: &'static str,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// Whether a goal was met.
pub(crate) struct Verdict {
    pub(crate) goal: String,
    pub(crate) seen: String,
    pub(crate) met: Option<bool>,
}

impl Goal {
    /// The figure of mp's contender `of` is at most `factor` times that of `versus`, by the median of the rounds' ratios.
    pub(crate) const fn ratio(
        figure: Figure,
        of: &'static str,
        factor: f64,
        versus: &'static str,
    ) -> Self {
        Self { figure, of, versus: Some(versus), bound: Bound::AtMost(factor), why_not: "" }
    }

    pub(crate) const fn at_most(figure: Figure, of: &'static str, most: f64) -> Self {
        Self { figure, of, versus: None, bound: Bound::AtMost(most), why_not: "" }
    }

    pub(crate) const fn at_least(figure: Figure, of: &'static str, least: f64) -> Self {
        Self { figure, of, versus: None, bound: Bound::AtLeast(least), why_not: "" }
    }

    /// With what is known of why it is not met, shown as long as it is not.
    pub(crate) const fn but(mut self, why_not: &'static str) -> Self {
        self.why_not = why_not;
        self
    }

    pub(crate) fn verdict(&self, measured: &Measured) -> Verdict {
        let seen = match self.versus {
            Some(versus) => ratio(measured, self.figure, self.of, versus),
            None => measured.median(self.of, self.figure),
        };
        let show = |value: f64| match self.versus {
            Some(versus) if value < 0.2 => format!("{value:.3} × {versus}"),
            Some(versus) => format!("{value:.2} × {versus}"),
            None => self.figure.show(value),
        };
        let (sign, bound) = match self.bound {
            Bound::AtMost(most) => ("≤", most),
            Bound::AtLeast(least) => ("≥", least),
        };
        Verdict {
            goal: format!("{}, {}: {sign} {}", self.of, self.figure.head(), show(bound)),
            seen: seen.map_or_else(|| "not measured".to_owned(), show),
            met: seen.map(|seen| match self.bound {
                Bound::AtMost(most) => seen <= most,
                Bound::AtLeast(least) => seen >= least,
            }),
        }
    }
}

/// The median of the ratios of the rounds: what disturbs the machine for a while disturbs both.
pub(crate) fn ratio(measured: &Measured, figure: Figure, of: &str, to: &str) -> Option<f64> {
    let (of, to) = (measured.samples(of)?, measured.samples(to)?);
    let ratios = of
        .iter()
        .zip(to)
        .filter_map(|(of, to)| Some(of.as_ref()?.figure(figure)? / to.as_ref()?.figure(figure)?));
    median(ratios.filter(|ratio| ratio.is_finite()).collect())
}
