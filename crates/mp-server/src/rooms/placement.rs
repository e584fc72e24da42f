//! [`Placement`]: the threads of rooms.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix::{Arbiter, ArbiterHandle};
use mp_core::Instant;
use mp_core::host::SystemClock;
use mp_rooms::OverloadMonitor;

use super::thread_timer::{ThreadTimer, TimerTask};

/// The threads of rooms. A new room runs on the thread with the least load that is not overloaded.
///
/// The load of a thread is the number of its rooms and players. A room that is being started counts
/// more, so that a thread that does not start rooms, because one of its rooms is overloaded,
/// receives no others.
///
/// A thread is overloaded while its timer is late ([`OverloadMonitor`]). Without a limit of the
/// lateness there are no timers.
#[derive(Debug)]
pub(super) struct Placement {
    /// Thread of the endpoints, if the only room is to run there, too.
    network: Option<ArbiterHandle>,
    threads: BTreeMap<usize, Thread>,
    next_number: usize,
    max_threads: usize,
    max_lateness: Option<Duration>,
    clock: SystemClock,
}

/// Number of a thread in [`Placement`]; `None` for the thread of the endpoints.
pub(super) type ThreadNumber = Option<usize>;

/// The thread of a new room.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) thread: ThreadNumber,
    /// `None` for a thread of its own, which starts with the room.
    pub(super) arbiter: Option<ArbiterHandle>,
    /// A task that the thread runs when it starts the room.
    pub(super) timer: Option<TimerTask>,
}

#[derive(Debug)]
struct Thread {
    /// `None` for the own thread of a room.
    arbiter: Option<Arbiter>,
    rooms: usize,
    players: usize,
    starting: usize,
    lateness: Option<Lateness>,
    is_overloaded: bool,
}

/// The measurement of a thread.
#[derive(Debug)]
struct Lateness {
    timer: Arc<ThreadTimer>,
    monitor: OverloadMonitor,
}

impl Placement {
    /// Returns the threads of rooms, at most `max_threads` (minimum: 1) and those of rooms with a
    /// thread of their own. They are started when a room needs them. `max_lateness` is the lateness
    /// above which a thread is overloaded; `None`: no thread is measured.
    pub(super) fn new(
        network: Option<ArbiterHandle>,
        max_threads: usize,
        max_lateness: Option<Duration>,
        clock: SystemClock,
    ) -> Self {
        let (threads, max_threads) = (BTreeMap::new(), max_threads.max(1));
        Self { network, threads, next_number: 0, max_threads, max_lateness, clock }
    }

    /// Returns the thread of a new room, a shared one or one `of_its_own`.
    /// [`opened`](Self::opened) follows.
    pub(super) fn place(&mut self, of_its_own: bool) -> io::Result<Place> {
        if let (Some(network), false) = (&self.network, of_its_own) {
            return Ok(Place { thread: None, arbiter: Some(network.clone()), timer: None });
        }
        let (number, timer) = if of_its_own { self.add(None) } else { self.choose()? };
        let thread = self.threads.get_mut(&number);
        let arbiter = thread.and_then(|thread| {
            thread.starting += 1;
            thread.arbiter.as_ref().map(Arbiter::handle)
        });
        Ok(Place { thread: Some(number), arbiter, timer })
    }

    /// Returns the shared thread with the least load, or starts another one.
    fn choose(&mut self) -> io::Result<(usize, Option<TimerTask>)> {
        let least = self.shared().min_by_key(|(_, thread)| (thread.is_overloaded, thread.load()));
        Ok(match least {
            Some((number, thread)) if thread.load() == 0 && !thread.is_overloaded => (number, None),
            Some((number, _)) if self.shared().count() >= self.max_threads => (number, None),
            _ => self.add(Some(Arbiter::try_new()?)),
        })
    }

    /// Adds a thread, and returns its number and the task of its timer.
    fn add(&mut self, arbiter: Option<Arbiter>) -> (usize, Option<TimerTask>) {
        let number = self.next_number;
        self.next_number += 1;
        let (lateness, task) = self
            .max_lateness
            .map(|max| {
                let (timer, task) = ThreadTimer::start(self.clock);
                (Lateness { timer, monitor: OverloadMonitor::new(max) }, task)
            })
            .unzip();
        let (rooms, players, starting, is_overloaded) = (0, 0, 0, false);
        let thread = Thread { arbiter, rooms, players, starting, lateness, is_overloaded };
        self.threads.insert(number, thread);
        (number, task)
    }

    /// Measures all threads. Returns those that are overloaded since now, or no longer, with their
    /// new state.
    pub(super) fn measure(&mut self, now: Instant) -> Vec<(ThreadNumber, bool)> {
        let mut changed = Vec::new();
        for (&number, thread) in &mut self.threads {
            let Some(Lateness { timer, monitor }) = &mut thread.lateness else { continue };
            let is_overloaded = monitor.record(now, timer.lateness(now));
            if is_overloaded != thread.is_overloaded {
                thread.is_overloaded = is_overloaded;
                changed.push((Some(number), is_overloaded));
            }
        }
        changed
    }

    /// Returns whether a thread is overloaded.
    pub(super) fn is_overloaded(&self, thread: ThreadNumber) -> bool {
        let thread = thread.and_then(|number| self.threads.get(&number));
        thread.is_some_and(|thread| thread.is_overloaded)
    }

    /// Returns whether no thread can run a new room: all of them are started and overloaded.
    pub(super) fn is_exhausted(&self) -> bool {
        self.shared().count() >= self.max_threads
            && self.shared().all(|(_, thread)| thread.is_overloaded)
    }

    /// Records that the start of a room has ended.
    pub(super) fn opened(&mut self, thread: ThreadNumber, is_open: bool) {
        self.change(thread, |thread| {
            thread.starting -= 1;
            thread.rooms += usize::from(is_open);
        });
    }

    /// Records that a player has entered a room.
    pub(super) fn joined(&mut self, thread: ThreadNumber) {
        self.change(thread, |thread| thread.players += 1);
    }

    /// Records that players have left a room.
    pub(super) fn left(&mut self, thread: ThreadNumber, players: usize) {
        self.change(thread, |thread| thread.players -= players);
    }

    /// Records that a room without players has ended.
    pub(super) fn ended(&mut self, thread: ThreadNumber) {
        self.change(thread, |thread| thread.rooms -= 1);
    }

    /// Changes a thread, and removes it if it was the own thread of a room that has ended.
    fn change(&mut self, number: ThreadNumber, change: impl FnOnce(&mut Thread)) {
        let Some(number) = number else { return };
        let Some(thread) = self.threads.get_mut(&number) else { return };
        change(thread);
        if thread.arbiter.is_none() && thread.load() == 0 {
            self.threads.remove(&number);
        }
    }

    /// Returns the threads that are not of one room alone.
    fn shared(&self) -> impl Iterator<Item = (usize, &Thread)> {
        let all = self.threads.iter().map(|(&number, thread)| (number, thread));
        all.filter(|(_, thread)| thread.arbiter.is_some())
    }
}

impl Thread {
    fn load(&self) -> usize {
        self.rooms + self.players + self.starting * STARTING_LOAD
    }
}

/// Load of a room that is being started.
const STARTING_LOAD: usize = 64;

#[cfg(test)]
mod tests {
    use mp_rooms::{OVERLOAD_AFTER, RECOVERED_AFTER};

    use super::*;

    const MAX_LATENESS: Duration = Duration::from_millis(50);

    fn placement(network: Option<ArbiterHandle>, max_lateness: Option<Duration>) -> Placement {
        Placement::new(network, 2, max_lateness, SystemClock::new())
    }

    /// Places a room. If `is_started`, its start ends.
    fn place(placement: &mut Placement, is_started: bool) -> ThreadNumber {
        let thread = placement.place(false).unwrap().thread;
        if is_started {
            placement.opened(thread, true);
        }
        thread
    }

    /// Measures every 100 ms for `time`, in which no timer runs. Returns the changes.
    fn stall(
        placement: &mut Placement,
        now: &mut Instant,
        time: Duration,
    ) -> Vec<(ThreadNumber, bool)> {
        let end = *now + time;
        let mut changed = Vec::new();
        while *now <= end {
            changed.append(&mut placement.measure(*now));
            *now += Duration::from_millis(100);
        }
        changed
    }

    #[test]
    fn rooms_are_placed_on_the_thread_with_the_least_load() {
        actix::System::new().block_on(async {
            let mut placement = placement(None, None);
            let (a, b) = (place(&mut placement, true), place(&mut placement, true));
            assert_eq!((a, b), (Some(0), Some(1)));
            placement.joined(a);
            assert_eq!(place(&mut placement, true), b);
            placement.left(a, 1);
            placement.joined(b);
            assert_eq!(place(&mut placement, true), a);
            // The start of a room on the first thread does not end.
            assert_eq!(place(&mut placement, false), a);
            for _ in 0..STARTING_LOAD / 2 {
                assert_eq!(place(&mut placement, true), b);
            }
            placement.ended(a);
        });
    }

    #[test]
    fn the_only_room_runs_on_the_thread_of_the_endpoints() {
        actix::System::new().block_on(async {
            let mut placement = placement(Some(Arbiter::current()), Some(MAX_LATENESS));
            let thread = place(&mut placement, true);
            placement.joined(thread);
            assert_eq!((thread, placement.threads.len()), (None, 0));
            assert!(!placement.is_exhausted());
        });
    }

    #[test]
    fn threads_have_a_timer_only_if_the_lateness_is_limited() {
        actix::System::new().block_on(async {
            let mut unlimited = placement(None, None);
            let place = unlimited.place(false).unwrap();
            assert!(place.timer.is_none() && unlimited.measure(Instant::from_millis(1)).is_empty());
            let mut limited = placement(None, Some(MAX_LATENESS));
            let first = limited.place(false).unwrap();
            limited.opened(first.thread, false);
            let second = limited.place(false).unwrap();
            assert_eq!(first.thread, second.thread);
            assert!(first.timer.is_some() && second.timer.is_none(), "one timer per thread");
        });
    }

    #[test]
    fn overloaded_threads_receive_no_rooms_while_others_can_run_them() {
        actix::System::new().block_on(async {
            let mut placement = placement(None, Some(MAX_LATENESS));
            let a = place(&mut placement, true);
            let mut now = SystemClock::new().now() + Duration::from_secs(10);
            assert_eq!(stall(&mut placement, &mut now, OVERLOAD_AFTER), [(a, true)]);
            assert!(placement.is_overloaded(a) && !placement.is_exhausted());
            // The thread is overloaded without a room, too.
            placement.ended(a);
            let b = place(&mut placement, true);
            assert_eq!((a, b, place(&mut placement, true)), (Some(0), Some(1), b));

            assert_eq!(stall(&mut placement, &mut now, OVERLOAD_AFTER), [(b, true)]);
            assert!(placement.is_exhausted());
            for thread in placement.threads.values() {
                let Some(Lateness { timer, .. }) = &thread.lateness else { panic!("no timer") };
                timer.set_due(now + RECOVERED_AFTER * 2);
            }
            let recovered = stall(&mut placement, &mut now, RECOVERED_AFTER);
            assert_eq!(recovered, [(a, false), (b, false)]);
            assert!(!placement.is_exhausted());
            assert_eq!(place(&mut placement, true), a, "it has no room");
        });
    }

    #[test]
    fn own_thread_of_a_room_is_measured_until_the_room_ends() {
        actix::System::new().block_on(async {
            let mut placement = placement(None, Some(MAX_LATENESS));
            let own = placement.place(true).unwrap();
            assert!(own.arbiter.is_none() && own.timer.is_some());
            placement.opened(own.thread, true);
            placement.joined(own.thread);
            let mut now = SystemClock::new().now() + Duration::from_secs(10);
            assert_eq!(stall(&mut placement, &mut now, OVERLOAD_AFTER), [(own.thread, true)]);
            assert!(!placement.is_exhausted(), "other rooms do not run there");
            assert_ne!(place(&mut placement, true), own.thread);
            placement.left(own.thread, 1);
            placement.ended(own.thread);
            assert_eq!(placement.threads.len(), 1);
        });
    }
}
