//! Groups recorded actions to steps.

use std::time::Duration;

use super::{RecordedAction, RecordedContent};

/// One action, or several equal ones at a regular interval.
#[derive(Debug)]
pub(super) struct RecordedStep<'a> {
    pub(super) actions: Vec<&'a RecordedAction>,
    /// True if other steps begin before its end, or it lasts until the end.
    pub(super) is_background: bool,
}

impl<'a> RecordedStep<'a> {
    /// Returns the first action.
    pub(super) fn first(&self) -> &'a RecordedAction {
        self.actions[0]
    }

    /// Returns the mean interval, at least one millisecond; `None` for one action.
    pub(super) fn interval(&self) -> Option<Duration> {
        let count = u32::try_from(self.actions.len() - 1).ok().filter(|&count| count > 0)?;
        Some((self.end() - self.first().at) / count).map(|it| it.max(INTERVAL_MIN))
    }

    fn end(&self) -> Duration {
        self.actions.last().map_or(Duration::ZERO, |last| last.at)
    }
}

/// Returns the steps of `actions` in the order of their start, for a session that ends at `end`.
pub(super) fn steps(actions: &[RecordedAction], end: Duration) -> Vec<RecordedStep<'_>> {
    let mut bursts: Vec<Vec<&RecordedAction>> = Vec::new();
    // Bursts to which an action may still be added.
    let mut open: Vec<usize> = Vec::new();
    for action in actions {
        let last = |burst: &Vec<&RecordedAction>| burst.last().map(|last| last.at);
        open.retain(|&index| last(&bursts[index]).is_some_and(|at| action.at - at <= GAP_MAX));
        let found = open.iter().copied().find(|&index| is_same(bursts[index][0], action));
        match found {
            Some(index) => bursts[index].push(action),
            None => {
                open.push(bursts.len());
                bursts.push(vec![action]);
            }
        }
    }
    let step = |actions| RecordedStep { actions, is_background: false };
    let mut steps: Vec<RecordedStep<'_>> = Vec::new();
    for burst in bursts {
        match burst.len() {
            REPEATED_MIN.. => steps.push(step(burst)),
            _ => steps.extend(burst.into_iter().map(|action| step(vec![action]))),
        }
    }
    steps.sort_by_key(|step| step.first().at);
    let starts: Vec<Duration> = steps.iter().map(|step| step.first().at).collect();
    for (index, step) in steps.iter_mut().enumerate() {
        let next = starts.get(index + 1).copied().unwrap_or(Duration::MAX);
        let interval = step.interval().unwrap_or_default();
        step.is_background = next < step.end() || step.end() + 2 * interval >= end;
    }
    steps
}

/// Returns whether two actions may belong to one step.
fn is_same(a: &RecordedAction, b: &RecordedAction) -> bool {
    let is_same_content = match (&a.content, &b.content) {
        (
            RecordedContent::Call { path, method, args },
            RecordedContent::Call { path: path_b, method: method_b, args: args_b },
        ) => (path, method, args.len()) == (path_b, method_b, args_b.len()),
        (RecordedContent::Raw(_), RecordedContent::Raw(_)) => true,
        _ => false,
    };
    is_same_content && (a.receivers(), a.mode, a.channel) == (b.receivers(), b.mode, b.channel)
}

/// Minimum number of equal actions that become one step.
const REPEATED_MIN: usize = 5;
/// Maximum time between two actions of a step.
const GAP_MAX: Duration = Duration::from_secs(1);
/// Shortest interval of a step.
const INTERVAL_MIN: Duration = Duration::from_millis(1);
