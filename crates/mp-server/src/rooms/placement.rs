//! [`Placement`]: the threads of rooms.

use std::io;

use actix::{Arbiter, ArbiterHandle};

/// The threads of rooms. A new room runs on the thread with the least load.
///
/// The load of a thread is the number of its rooms and players. A room that is being started counts
/// more, so that a thread that does not start rooms, because one of its rooms is overloaded,
/// receives no others.
#[derive(Debug)]
pub(super) struct Placement {
    /// Thread of the endpoints, if the only room is to run there, too.
    network: Option<ArbiterHandle>,
    threads: Vec<Thread>,
    max_threads: usize,
}

/// Number of a thread in [`Placement`]; `None` for the thread of the endpoints, and for a thread of
/// its own.
pub(super) type ThreadNumber = Option<usize>;

#[derive(Debug)]
struct Thread {
    arbiter: Arbiter,
    rooms: usize,
    players: usize,
    starting: usize,
}

impl Placement {
    /// Returns the threads of rooms, at most `max_threads` (minimum: 1). They are started when a
    /// room needs them.
    pub(super) fn new(network: Option<ArbiterHandle>, max_threads: usize) -> Self {
        Self { network, threads: Vec::new(), max_threads: max_threads.max(1) }
    }

    /// Returns the thread of a new room. [`opened`](Self::opened) follows.
    pub(super) fn place(&mut self) -> io::Result<(ThreadNumber, ArbiterHandle)> {
        if let Some(network) = &self.network {
            return Ok((None, network.clone()));
        }
        let least = self.threads.iter().enumerate().min_by_key(|(_, thread)| thread.load());
        let number = match least {
            Some((number, thread)) if thread.load() == 0 => number,
            Some((number, _)) if self.threads.len() >= self.max_threads => number,
            _ => {
                let arbiter = Arbiter::try_new()?;
                self.threads.push(Thread { arbiter, rooms: 0, players: 0, starting: 0 });
                self.threads.len() - 1
            }
        };
        let thread = &mut self.threads[number];
        thread.starting += 1;
        Ok((Some(number), thread.arbiter.handle()))
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

    fn change(&mut self, thread: ThreadNumber, change: impl FnOnce(&mut Thread)) {
        if let Some(thread) = thread.and_then(|number| self.threads.get_mut(number)) {
            change(thread);
        }
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
    use super::*;

    #[test]
    fn rooms_are_placed_on_the_thread_with_the_least_load() {
        actix::System::new().block_on(async {
            let mut placement = Placement::new(None, 2);
            let place = |placement: &mut Placement, is_started: bool| {
                let (thread, _) = placement.place().unwrap();
                if is_started {
                    placement.opened(thread, true);
                }
                thread
            };
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
            let mut placement = Placement::new(Some(Arbiter::current()), 2);
            let (thread, _) = placement.place().unwrap();
            placement.opened(thread, true);
            placement.joined(thread);
            assert_eq!((thread, placement.threads.len()), (None, 0));
        });
    }
}
