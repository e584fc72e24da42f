//! [`StatsPublisher`]: publishes statistics of rooms.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_actor::BranchStatsCollector;
use mp_core::Instant;
use mp_rooms::Rooms;

use super::admission::Admission;
use super::placement::ThreadNumber;
use crate::metrics::{Metrics, RoomsSnapshot};

/// Publishes the statistics of the registry at most once a second, and a second after the last
/// change. It has no timer while nothing changes.
#[derive(Debug, Default)]
pub(super) struct StatsPublisher {
    published: Option<Instant>,
    is_pending: bool,
    /// The collector of the rooms of each thread. Rooms with a thread of their own share one.
    collectors: BTreeMap<ThreadNumber, BranchStatsCollector>,
}

impl StatsPublisher {
    /// Returns the collector of the rooms on `thread`.
    pub(super) fn collector(
        &mut self,
        thread: ThreadNumber,
        metrics: &Metrics,
    ) -> BranchStatsCollector {
        self.collectors.entry(thread).or_insert_with(|| metrics.add_thread()).clone()
    }

    /// Publishes the statistics if they are due. Called after each change.
    pub(super) fn publish(
        &mut self,
        now: Instant,
        rooms: &Rooms,
        admission: &Admission,
        metrics: &Metrics,
    ) {
        let is_due = self.published.is_none_or(|published| now >= published + INTERVAL);
        self.is_pending = !is_due;
        if is_due {
            self.published = Some(now);
            let (stats, is_draining) = (rooms.stats(), rooms.is_draining());
            let admission = admission.stats();
            metrics.set_rooms(RoomsSnapshot { stats, is_draining, admission });
        }
    }

    /// Returns the time by which statistics have to be published.
    pub(super) fn due(&self) -> Option<Instant> {
        self.published.filter(|_| self.is_pending).map(|published| published + INTERVAL)
    }
}

const INTERVAL: Duration = mp_actor::limits::STATS_INTERVAL;

#[cfg(test)]
mod tests {
    use mp_identity::{AuthMethod, Authenticator};
    use mp_rooms::{RoomName, RoomsSettings, Template};

    use super::*;

    #[test]
    fn the_last_change_is_published_within_a_second() {
        let name = |text: &str| RoomName::new(text).unwrap();
        let template = Template::new(name("default"));
        let mut rooms = Rooms::new(RoomsSettings::default(), [template]);
        let admission = Admission::new(Authenticator::new(AuthMethod::Open));
        let (metrics, mut publisher) = (Metrics::default(), StatsPublisher::default());
        let mut created = |publisher: &mut StatsPublisher, millis, room: Option<&str>| {
            if let Some(room) = room {
                rooms.create(name(room), &name("default")).unwrap();
            }
            publisher.publish(Instant::from_millis(millis), &rooms, &admission, &metrics);
            metrics.rooms().stats.created_rooms
        };
        assert_eq!(publisher.due(), None);
        assert_eq!(created(&mut publisher, 1_000, Some("a")), 1);
        assert_eq!(publisher.due(), None);
        assert_eq!(created(&mut publisher, 1_500, Some("b")), 1);
        assert_eq!(publisher.due(), Some(Instant::from_millis(2_000)));
        assert_eq!(created(&mut publisher, 2_000, None), 2);
        assert_eq!(publisher.due(), None);
    }
}
