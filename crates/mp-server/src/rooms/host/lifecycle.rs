//! Rooms that are started, run and end.

use std::sync::Arc;
use std::time::Duration;

use mp_actor::{BranchRef, EndReason, StartError};
use mp_rooms::{RoomHost, RoomId, RoomName, Template};
use mp_scene::{Branch, IdBlocks, Keep, Signal};
use tokio::sync::oneshot;

use super::keeping::{self, Restoration};
use super::{BranchRestore, HostEvent, RoomsHost};
use crate::relay::RelaySettings;
use crate::rooms::context::RoomContext;
use crate::rooms::handle::RoomsHandle;
use crate::rooms::identities::Identities;
use crate::rooms::placement::{Place, ThreadNumber};
use crate::snapshots::KeptRoom;

/// A room that is open, or closes.
pub(super) struct Running {
    pub(super) branch: BranchRef,
    pub(super) thread: ThreadNumber,
    pub(super) players: usize,
}

/// The properties of a room that its decisions depend on, or that it reads.
pub(super) struct SharedWithRoom {
    pub(super) identities: Identities,
    /// True if players receive reasons and announcements as raw packets.
    pub(super) notify: bool,
    /// Identity of the room, if its state is kept.
    pub(super) kept: Option<KeptRoom>,
}

impl RoomsHost {
    /// Notifies `opened` when a room has opened; drops it if the room could not be created.
    pub(in crate::rooms) fn when_open(&mut self, room: RoomId, opened: oneshot::Sender<()>) {
        self.opening.insert(room, opened);
    }

    /// Returns the branch of an open room.
    pub(in crate::rooms) fn branch(&self, room: RoomId) -> Option<BranchRef> {
        self.running.get(&room).map(|running| running.branch.clone())
    }

    pub(super) fn create(&mut self, room: RoomId, name: RoomName, template: Arc<Template>) {
        let Some(build) = self.settings.types.get(&template.room_type).map(Arc::clone) else {
            tracing::error!(%name, room_type = template.room_type, "unknown room type");
            return self.fail(room, name);
        };
        let Place { thread, arbiter, timer } = match self.placement.place(template.own_thread) {
            Ok(place) => place,
            Err(error) => {
                tracing::error!(%name, %error, "cannot start a thread for a room");
                return self.fail(room, name);
            }
        };
        tracing::debug!(%name, %room, template = %template.name, ?thread, "starting a room");
        let span = tracing::debug_span!("room", id = %room, room = %name);
        self.starting.insert(room, thread);
        self.changes.mark(room);
        self.rooms.set_overloaded(room, self.placement.is_overloaded(thread));
        let identities = Identities::default();
        let restored = self.restoring.get_mut(&room).map(|it| it.begin(&identities));
        let kept = self.kept_room(&name, &template);
        let restoration = self.settings.snapshots.clone().zip(kept.clone());
        let restoration = restoration.filter(|_| restored.is_none());
        let restoration = restoration.map(|(store, kept)| Restoration::new(store, kept));
        let shared =
            SharedWithRoom { identities: identities.clone(), notify: template.notify, kept };
        self.shared.insert(room, shared);
        // A probe would be a packet of SceneMultiplayer. The game itself detects silent players.
        let silence = match template.host {
            RoomHost::Tunnel => Duration::ZERO,
            _ => self.settings.silence,
        };
        let relay = RelaySettings::of(&template).silence(silence);
        let recording = template
            .record
            .as_ref()
            // A recording begins with a new room.
            .filter(|_| !matches!(restored, Some(BranchRestore::Peers(..))))
            .and_then(|settings| self.settings.recordings.start(settings, &name, &relay));
        let recorder = recording.as_ref().map(|it| Box::new(it.recording.clone()));
        let drain = self.drain.clone();
        let receive_limits = template.receive_limits;
        let rooms = self.own_handle.clone();
        let of_branch = restoration.clone();
        let starter = mp_actor::branch(move || {
            if let Some(timer) = timer {
                actix::spawn(timer.run());
            }
            let (moves, resume) = (template.moves, template.resume);
            let handle = rooms.clone();
            let context =
                RoomContext { id: room, name, template, drain, identities, rooms, recording };
            let mut branch = build(&context)?;
            if let Some(time) = resume {
                keep_players(&mut branch, time, room, handle);
            }
            if let Some(restoration) = of_branch {
                restoration.restore(&mut branch);
            }
            if moves {
                branch.enable_moves(&IdBlocks::of_process());
            }
            relay.apply(&mut branch, context.facts());
            if let Some(restored) = restored {
                restored.apply(&mut branch)?;
            }
            Ok(branch)
        });
        let collector = self.stats.collector(thread, &self.settings.metrics);
        let starter = starter.receive_limits(receive_limits).collect_stats(&collector).span(span);
        let starter = match recorder {
            Some(recorder) => starter.record(recorder),
            None => starter,
        };
        let starter = match arbiter {
            Some(arbiter) => starter.on(arbiter),
            None => starter,
        };
        let events = self.events.clone();
        self.tasks.spawn(async move {
            if let Some(restoration) = &restoration {
                restoration.load().await;
            }
            let started = starter.start().await;
            if let Some(restoration) = restoration {
                restoration.report().await;
            }
            let _ = events.send(HostEvent::Started(room, started)).await;
        });
    }

    fn fail(&mut self, room: RoomId, name: RoomName) {
        self.changes.mark(room);
        self.opening.remove(&room);
        self.restoring.remove(&room);
        self.shared.remove(&room);
        self.rooms.failed(room);
        self.notify_failed(room, Some(name));
    }

    pub(super) fn started(&mut self, room: RoomId, started: Result<BranchRef, StartError>) {
        self.changes.mark(room);
        let thread = self.starting.remove(&room).flatten();
        self.placement.opened(thread, started.is_ok());
        let opening = self.opening.remove(&room);
        let restoring = self.restoring.remove(&room);
        match started {
            Ok(branch) => {
                if let (Some(opening), Some(_)) = (opening, self.rooms.get(room)) {
                    let _ = opening.send(());
                }
                let attached = restoring.as_ref().map(|it| it.attach(&branch)).unwrap_or_default();
                self.notify_opened(room, &branch, attached);
                self.watch(room, branch.clone());
                let players = restoring.map_or(0, |restoring| restoring.players());
                (0..players).for_each(|_| self.placement.joined(thread));
                self.running.insert(room, Running { branch, thread, players });
                self.rooms.opened(self.clock.now(), room);
            }
            Err(error) => {
                let name = self.rooms.get(room).map(|room| room.name);
                self.shared.remove(&room);
                let error = mp_core::ErrorChain::new(&error);
                tracing::error!(%room, ?name, %error, "the room could not be created");
                self.rooms.failed(room);
                self.notify_failed(room, name);
            }
        }
    }

    /// Reports the end of a room. The task lasts until its endpoints have disconnected its peers.
    pub(super) fn watch(&self, room: RoomId, branch: BranchRef) {
        let events = self.events.clone();
        self.tasks.spawn(async move {
            let reason = branch.until_ended().await;
            let _ = events.send(HostEvent::Ended(room, reason)).await;
            branch.closed().await;
        });
    }

    pub(super) fn ended(&mut self, room: RoomId, reason: &EndReason) {
        self.changes.mark(room);
        if let Some(info) = self.rooms.get(room) {
            tracing::error!(name = %info.name, %reason, "a room has ended by itself");
        }
        self.rooms.ended(room);
        self.notify_ended(room);
        self.shared.remove(&room);
        if let Some(Running { thread, players, .. }) = self.running.remove(&room) {
            self.placement.left(thread, players);
            self.placement.ended(thread);
        }
    }

    pub(super) fn close(&mut self, room: RoomId) {
        self.changes.mark(room);
        let Some(branch) = self.branch(room) else { return };
        match self.begin_save(room) {
            Some(save) => {
                self.tasks.spawn(keeping::close(branch, save, self.rooms.is_draining()));
            }
            None => {
                self.tasks.spawn(async move { branch.close().await });
            }
        }
    }

    /// Closes all rooms.
    pub(in crate::rooms) fn close_rooms(&mut self) {
        for room in self.rooms.list().map(|room| room.id).collect::<Vec<_>>() {
            self.rooms.close(room);
        }
    }

    /// Measures the threads of rooms, and lets the rooms of those that do not keep up refuse
    /// players. Returns whether there is no thread for a new room.
    pub(in crate::rooms) fn measure_threads(&mut self) -> bool {
        for (thread, is_overloaded) in self.placement.measure(self.clock.now()) {
            let running = self.running.iter().map(|(&room, running)| (room, running.thread));
            let starting = self.starting.iter().map(|(&room, &thread)| (room, thread));
            let rooms = running.chain(starting).filter(|&(_, other)| other == thread);
            let mut count = 0;
            for (room, _) in rooms {
                count += usize::from(self.rooms.set_overloaded(room, is_overloaded));
            }
            match is_overloaded {
                true => tracing::warn!(
                    ?thread,
                    rooms = count,
                    "rooms of an overloaded thread refuse players"
                ),
                false => tracing::info!(
                    ?thread,
                    rooms = count,
                    "a thread of rooms is no longer overloaded"
                ),
            }
        }
        self.placement.is_exhausted()
    }
}

/// Lets a branch keep players whose connection is lost, and offer them tickets.
fn keep_players(branch: &mut Branch, time: Duration, room: RoomId, rooms: RoomsHandle) {
    if !branch.keep_peers(Keep::for_(time)) {
        tracing::warn!(
            "resume has no effect: the room authenticates players itself, or a player is its host"
        );
        return rooms.disable_resume(room);
    }
    let handle = rooms.clone();
    branch.add_resumed_hook(move |_, _, new| handle.offer_resume(room, new));
    branch.add_signal_hook(move |_, signal| {
        if let Signal::PeerConnected(peer) = signal {
            rooms.offer_resume(room, *peer);
        }
    });
}
