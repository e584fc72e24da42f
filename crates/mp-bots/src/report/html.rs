//! Results as a page with plots, without scripts and other files.

use std::fmt::Write;

use super::{RunReport, Second};
use crate::stats::{Counter, Timing};

pub(super) fn html(report: &RunReport) -> String {
    let per_second = |counter: Counter| move |second: &Second| Some(second.rate(counter));
    let millis = |timing: Timing, share: f64| {
        move |second: &Second| {
            second.stats.quantile(&timing, share).map(|time| time.as_secs_f64() * 1e3)
        }
    };
    let seconds = &report.seconds;
    let mut plots = vec![
        plot("players", seconds, &[("players", &|second: &Second| Some(second.players as f64))]),
        plot(
            "packets per second",
            seconds,
            &[
                ("sent", &per_second(Counter::PacketsSent)),
                ("received", &per_second(Counter::PacketsReceived)),
            ],
        ),
        plot(
            "join time in ms",
            seconds,
            &[("p50", &millis(Timing::Join, 0.5)), ("p99", &millis(Timing::Join, 0.99))],
        ),
    ];
    if report.stats.measured(&Timing::RoundTrip) > 0 {
        plots.push(plot(
            "round-trip time in ms",
            seconds,
            &[("p50", &millis(Timing::RoundTrip, 0.5)), ("p99", &millis(Timing::RoundTrip, 0.99))],
        ));
    }
    plots.push(plot(
        "CPU of the busiest thread in % of a core",
        seconds,
        &[("CPU", &|second: &Second| Some(second.cpu * 100.0))],
    ));
    let verdict = match report.checks().iter().all(|check| check.is_met) {
        true => "",
        false => "<p class=\"exceeded\">A threshold was exceeded.</p>\n",
    };
    let (table, plots) = (escaped(&report.table()), plots.concat());
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Bots</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Bots</h1>\n{verdict}<pre>{table}</pre>\n{plots}</body>\n</html>\n"
    )
}

/// A value of each second; `None` if nothing was measured.
type Series<'s> = (&'s str, &'s dyn Fn(&Second) -> Option<f64>);

/// Returns a plot of up to three series.
fn plot(title: &str, seconds: &[Second], series: &[Series<'_>]) -> String {
    let values: Vec<(&str, Vec<Option<f64>>)> =
        series.iter().map(|(name, value)| (*name, thinned(seconds, value))).collect();
    let most = values.iter().flat_map(|(_, values)| values).flatten();
    let top = round_up(most.fold(0.0, |most: f64, value| most.max(*value)));
    let count = values.first().map_or(0, |(_, values)| values.len());
    let x = |index: usize| LEFT + WIDTH * index as f64 / (count.max(2) - 1) as f64;
    let y = |value: f64| TOP + HEIGHT * (1.0 - value / top);

    let mut svg = format!("<section>\n<h2>{}</h2>\n", escaped(title));
    let (width, height) = (LEFT + WIDTH + 20.0, TOP + HEIGHT + 30.0);
    let _ = writeln!(svg, "<svg viewBox=\"0 0 {width} {height}\" role=\"img\">");
    for step in 0..=4 {
        let value = top * f64::from(step) / 4.0;
        let at = y(value);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" class=\"grid\"/><text x=\"{}\" y=\"{:.1}\" class=\"left\">{}</text>",
            LEFT + WIDTH,
            LEFT - 6.0,
            at + 4.0,
            shown(value)
        );
    }
    for (index, second) in [(0, 1), (count.saturating_sub(1), seconds.len())] {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"below\">{second} s</text>",
            x(index),
            TOP + HEIGHT + 20.0
        );
    }
    for (number, (name, values)) in values.iter().enumerate() {
        let mut path = String::new();
        let mut is_drawing = false;
        for (index, value) in values.iter().enumerate() {
            if let Some(value) = value {
                let command = if is_drawing { 'L' } else { 'M' };
                let _ = write!(path, "{command}{:.1} {:.1}", x(index), y(*value));
            }
            is_drawing = value.is_some();
        }
        let _ = writeln!(
            svg,
            "<path d=\"{path}\" class=\"s{number}\"/><text x=\"{}\" y=\"14\" class=\"t{number}\">{}</text>",
            LEFT + 90.0 * number as f64,
            escaped(name)
        );
    }
    svg + "</svg>\n</section>\n"
}

/// Returns the values of at most [`POINTS_MAX`] points, each the greatest of its seconds.
fn thinned(seconds: &[Second], value: &dyn Fn(&Second) -> Option<f64>) -> Vec<Option<f64>> {
    let greatest = |chunk: &[Second]| chunk.iter().filter_map(value).reduce(f64::max);
    seconds.chunks(seconds.len().div_ceil(POINTS_MAX).max(1)).map(greatest).collect()
}

/// Returns the next number of the form 1, 2 or 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.iter().map(|step| step * power).find(|&step| step >= value).unwrap_or(10.0 * power)
}

fn shown(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const LEFT: f64 = 60.0;
const TOP: f64 = 24.0;
const WIDTH: f64 = 700.0;
const HEIGHT: f64 = 160.0;
/// Maximum number of points of a line.
const POINTS_MAX: usize = 1_400;
const STYLE: &str = "body{font:15px system-ui,sans-serif;max-width:860px;margin:2em auto;padding:0 1em;color:#222}pre{background:#f4f4f4;padding:1em;overflow:auto}section{margin:2em 0}h2{font-size:1em}svg{width:100%}svg text{font-size:12px;fill:#555}.left{text-anchor:end}.below{text-anchor:middle}.grid{stroke:#ddd}path{fill:none;stroke-width:1.5}.s0{stroke:#2a6fdb}svg .t0{fill:#2a6fdb}.s1{stroke:#d1495b}svg .t1{fill:#d1495b}.s2{stroke:#3a9d5d}svg .t2{fill:#3a9d5d}.exceeded{color:#b00020;font-weight:600}";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::stats::Stats;

    #[test]
    fn axes_end_at_round_numbers() {
        let ends = [0.0, 0.7, 1.0, 3.2, 49.0, 5_001.0].map(round_up);
        assert_eq!(ends, [1.0, 1.0, 1.0, 5.0, 50.0, 10_000.0]);
        assert_eq!([0.25, 50.0].map(shown), ["0.25", "50"]);
    }

    #[test]
    fn a_line_is_interrupted_where_nothing_was_measured() {
        let seconds: Vec<_> =
            (0..4).map(|_| Second::new(Stats::default(), Duration::from_secs(1), 0.0)).collect();
        let count = std::cell::Cell::new(0);
        let value = |_: &Second| {
            count.set(count.get() + 1);
            (count.get() != 3).then_some(f64::from(count.get()))
        };
        let plot = plot("a < b", &seconds, &[("x", &value)]);
        assert!(plot.contains("a &lt; b"), "{plot}");
        let path = plot.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert_eq!(path.matches('L').count(), 1, "{path}");
    }
}
