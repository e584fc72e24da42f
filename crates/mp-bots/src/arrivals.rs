//! The times at which players join: an open model, in which joins do not wait for earlier ones.

use std::time::Duration;

use crate::scenario::Phase;

/// Returns the time of each player's join since the start, in order. Within a phase the joins have
/// equal distances.
pub(crate) fn arrivals(phases: &[Phase]) -> impl Iterator<Item = Duration> {
    let starts = phases.iter().scan(Duration::ZERO, |end, phase| {
        let start = *end;
        *end += phase.duration;
        Some((start, phase))
    });
    starts.flat_map(|(start, phase)| {
        let interval = 1.0 / phase.joins_per_second;
        (0..phase.players)
            .map(move |index| start + Duration::from_secs_f64(f64::from(index) * interval))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_are_evenly_spaced_within_each_phase() {
        let phase = |joins_per_second, players, seconds| Phase {
            joins_per_second,
            players,
            duration: Duration::from_secs(seconds),
        };
        let phases = [phase(2.0, 3, 5), phase(1.0, 0, 10), phase(10.0, 2, 1)];
        let millis = arrivals(&phases).map(|at| at.as_millis()).collect::<Vec<_>>();
        assert_eq!(millis, [0, 500, 1_000, 15_000, 15_100]);
    }
}
