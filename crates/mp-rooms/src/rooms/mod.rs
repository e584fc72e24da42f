//! [`Rooms`]: the registry of rooms.

mod host_key;
mod info;
mod joins;
mod kept;
mod lobby;
mod matchmaking;
mod moves;
mod offers;
mod output;
mod player_limits;
mod players;
mod queues;
mod restored;
mod room;
mod room_changes;
mod seats;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use mp_core::{Instant, ReasonCounts};

pub use self::info::{RoomInfo, RoomState, RoomsStats};
use self::kept::KeptPlaces;
pub use self::moves::MoveTarget;
use self::moves::Moves;
pub use self::offers::TicketOffer;
pub use self::output::{JoinDecision, RoomOutput};
pub use self::player_limits::{PlayerLimits, PlayerUsage};
use self::players::Players;
pub use self::players::SamePlayer;
pub use self::queues::QueueState;
use self::queues::Queues;
pub use self::restored::{RestoredPlayer, RestoredSeat};
use self::room::Room;
use self::seats::Seats;
pub use self::settings::RoomsSettings;
use crate::join::ListenerConnection;
use crate::matchmaking::MatchRefusal;
use crate::name::{RoomId, RoomName};
use crate::refusal::{CreateRefusal, JoinRefusal, RoomEnd};
use crate::template::Template;

/// Resource that a server lacks, so that it refuses newcomers and keeps the rest for its players.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shortage {
    /// A thread does not keep up with its work.
    Load,
    /// The memory limit is reached.
    Memory,
}

/// The registry of a server's rooms, a state machine without I/O.
///
/// Each method that changes something takes the current time. Afterwards the host handles the
/// queued [outputs](Self::next_output), in order, and calls
/// [`handle_timeout`](Self::handle_timeout) at [`poll_timeout`](Self::poll_timeout).
///
/// * A room is created once, by the first join or by the program. Joins meanwhile wait, up to
///   [`WAITING_PER_ROOM_MAX`](crate::limits::WAITING_PER_ROOM_MAX) of a room and
///   [`WAITING_MAX`](crate::limits::WAITING_MAX) in all.
/// * Each connection that is admitted, or waits, occupies a place of its room until the host
///   reports that it [left](Self::left).
/// * The place of a player whose connection was lost may be [kept](crate::Template::resume) for a
///   time.
/// * A seat occupies a place, too, until its owner takes it or it expires.
/// * A room without players and seats closes after its timeout. The registry has one timer for all
///   rooms.
/// * A room that closes or ends frees its name at once.
#[derive(Debug)]
pub struct Rooms {
    settings: RoomsSettings,
    templates: BTreeMap<RoomName, Arc<Template>>,
    /// Settings of rooms by their own name.
    reserved: BTreeMap<RoomName, Arc<Template>>,
    rooms: BTreeMap<RoomId, Room>,
    names: BTreeMap<RoomName, RoomId>,
    /// Rooms that were closed and have not ended.
    closing: BTreeSet<RoomId>,
    /// The room of each connection that waits or was admitted.
    places: BTreeMap<ListenerConnection, RoomId>,
    players: Players,
    moves: Moves,
    /// Times at which rooms without players close.
    deadlines: BTreeSet<(Instant, RoomId)>,
    /// Number of joins that wait.
    waiting: usize,
    is_draining: bool,
    shortage: Option<Shortage>,
    outputs: VecDeque<RoomOutput>,
    next_id: u64,
    created: u64,
    failed: u64,
    ended: u64,
    /// Rooms that are not listed any more, by reason.
    removed: ReasonCounts<RoomEnd>,
    joined: u64,
    refused: ReasonCounts<JoinRefusal>,
    seats: Seats,
    kept: KeptPlaces,
    match_refused: ReasonCounts<MatchRefusal>,
    queues: Queues,
}

impl Rooms {
    /// Returns a registry without rooms.
    pub fn new(settings: RoomsSettings, templates: impl IntoIterator<Item = Template>) -> Self {
        let mut rooms = Self {
            settings,
            templates: BTreeMap::new(),
            reserved: BTreeMap::new(),
            rooms: BTreeMap::new(),
            names: BTreeMap::new(),
            closing: BTreeSet::new(),
            places: BTreeMap::new(),
            players: Players::default(),
            moves: Moves::default(),
            deadlines: BTreeSet::new(),
            waiting: 0,
            is_draining: false,
            shortage: None,
            outputs: VecDeque::new(),
            next_id: 1,
            created: 0,
            failed: 0,
            ended: 0,
            removed: ReasonCounts::default(),
            joined: 0,
            refused: ReasonCounts::default(),
            seats: Seats::default(),
            kept: KeptPlaces::default(),
            match_refused: ReasonCounts::default(),
            queues: Queues::default(),
        };
        rooms.set_templates(templates);
        rooms
    }

    /// Sets the smallest number of rooms that are created from now on. The servers of a cluster
    /// have different ones, so that numbers, and names with them, exist once in the cluster.
    pub fn set_first_id(&mut self, first: u64) {
        self.next_id = self.next_id.max(first);
    }

    /// Returns the template of this name.
    pub fn template(&self, name: &RoomName) -> Option<&Arc<Template>> {
        self.templates.get(name)
    }

    /// Replaces the templates. Existing rooms keep their settings.
    pub fn set_templates(&mut self, templates: impl IntoIterator<Item = Template>) {
        let named = |template: Template| (template.name.clone(), Arc::new(template));
        self.templates = templates.into_iter().map(named).collect();
        self.update_queues();
    }

    /// Reserves a name: joins create the room of this name with these settings, whatever its
    /// template allows, for example after it has ended by a panic.
    pub fn reserve(&mut self, name: RoomName, template: Arc<Template>) {
        self.reserved.insert(name, template);
    }

    /// Returns the settings of a [reserved](Self::reserve) name.
    pub fn reserved(&self, name: &RoomName) -> Option<&Arc<Template>> {
        self.reserved.get(name)
    }

    /// Creates a room from a template.
    ///
    /// # Errors
    ///
    /// See [`CreateRefusal`].
    pub fn create(&mut self, name: RoomName, template: &RoomName) -> Result<RoomId, CreateRefusal> {
        let template = self.templates.get(template).ok_or(CreateRefusal::UnknownTemplate)?;
        self.create_with(name, Arc::clone(template))
    }

    /// Creates a room with settings of its own.
    ///
    /// # Errors
    ///
    /// See [`CreateRefusal`].
    pub fn create_with(
        &mut self,
        name: RoomName,
        template: Arc<Template>,
    ) -> Result<RoomId, CreateRefusal> {
        match self.create_refusal() {
            Some(refusal) => Err(refusal),
            None => self.insert(name, template),
        }
    }

    fn insert(&mut self, name: RoomName, template: Arc<Template>) -> Result<RoomId, CreateRefusal> {
        if self.names.contains_key(&name) {
            return Err(CreateRefusal::NameTaken);
        }
        if self.has_all_rooms() {
            return Err(CreateRefusal::TooManyRooms);
        }
        let room = RoomId(self.next_id);
        self.next_id += 1;
        self.created += 1;
        self.names.insert(name.clone(), room);
        self.rooms.insert(room, Room::new(name.clone(), Arc::clone(&template)));
        self.outputs.push_back(RoomOutput::Create { room, name, template });
        Ok(room)
    }

    /// Returns the reason why the server refuses all newcomers.
    fn create_refusal(&self) -> Option<CreateRefusal> {
        match self.shortage {
            _ if self.is_draining => Some(CreateRefusal::Draining),
            None => None,
            Some(Shortage::Load) => Some(CreateRefusal::Overloaded),
            Some(Shortage::Memory) => Some(CreateRefusal::OutOfMemory),
        }
    }

    /// Returns whether the server has its maximum number of rooms.
    fn has_all_rooms(&self) -> bool {
        self.rooms.len() + self.closing.len() >= self.settings.max_rooms
    }

    /// Handles that a room has opened: admits the joins that wait for it.
    pub fn opened(&mut self, now: Instant, id: RoomId) {
        if self.closing.contains(&id) {
            // It was closed before it opened.
            self.outputs.push_back(RoomOutput::Close { room: id });
            return;
        }
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let waiting = room.open();
        self.waiting -= waiting.len();
        for connection in waiting {
            self.joined += 1;
            self.decide(connection, JoinDecision::Admit(id));
        }
        self.update_deadline(now, id);
    }

    /// Handles that a room could not be created: refuses the joins that wait for it.
    pub fn failed(&mut self, id: RoomId) {
        self.failed += 1;
        self.closing.remove(&id);
        self.remove(id, RoomEnd::Failed);
    }

    /// Handles that a room has ended: it was closed, or ended by itself, or panicked.
    pub fn ended(&mut self, id: RoomId) {
        self.ended += 1;
        if !self.closing.remove(&id) {
            self.remove(id, RoomEnd::Ended);
        }
    }

    /// Closes a room. Returns false if there is no such room.
    pub fn close(&mut self, id: RoomId) -> bool {
        self.close_because(id, RoomEnd::Closed)
    }

    fn close_because(&mut self, id: RoomId, end: RoomEnd) -> bool {
        let Some(room) = self.rooms.get(&id) else { return false };
        if room.is_open() {
            self.outputs.push_back(RoomOutput::Close { room: id });
        }
        self.closing.insert(id);
        self.remove(id, end);
        true
    }

    /// Refuses joins and creations from now on, and refuses the joins that wait. Rooms stay until
    /// they are closed or empty.
    pub fn drain(&mut self) {
        self.is_draining = true;
        for room in self.rooms.keys().copied().collect::<Vec<_>>() {
            self.refuse_waiting(room, JoinRefusal::Draining);
        }
    }

    /// Sets what the server lacks: joins and creations are refused meanwhile. Joins that wait stay.
    pub fn set_shortage(&mut self, shortage: Option<Shortage>) {
        self.shortage = shortage;
    }

    /// Returns what the server lacks, according to the last [`set_shortage`](Self::set_shortage).
    pub fn shortage(&self) -> Option<Shortage> {
        self.shortage
    }

    /// Frees the seats and kept places that expire, forms groups in queues, and closes the rooms
    /// whose time without players is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.expire_seats(now);
        self.expire_kept(now);
        self.run_queues(now);
        while let Some(&(due, room)) = self.deadlines.first()
            && now >= due
        {
            if !self.close_because(room, RoomEnd::Empty) {
                mp_core::bug!("{room} has a deadline, but does not exist");
                self.deadlines.remove(&(due, room));
            }
        }
    }

    /// Returns the time at which the next room without players closes, the next seat or kept place
    /// expires, or a queue has work.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let room = self.deadlines.first().map(|&(due, _)| due);
        let places = [self.seats.poll_timeout(), self.kept.poll_timeout()];
        places.into_iter().chain([room, self.queues.poll_timeout()]).flatten().min()
    }

    /// Removes and returns the oldest output.
    pub fn next_output(&mut self) -> Option<RoomOutput> {
        self.outputs.pop_front()
    }

    fn decide(&mut self, connection: ListenerConnection, decision: JoinDecision) {
        self.outputs.push_back(RoomOutput::Decide { connection, decision });
    }

    /// Refuses a connection that has not joined.
    pub fn refuse(&mut self, connection: ListenerConnection, refusal: JoinRefusal) {
        self.refused.count(refusal);
        self.decide(connection, JoinDecision::Refuse(refusal));
    }

    fn refuse_waiting(&mut self, id: RoomId, refusal: JoinRefusal) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let waiting = room.take_waiting();
        self.waiting -= waiting.len();
        for connection in waiting {
            self.places.remove(&connection);
            self.players.remove(connection);
            self.refuse(connection, refusal);
        }
    }

    /// Removes a room, whose players leave by themselves.
    fn remove(&mut self, id: RoomId, end: RoomEnd) {
        self.refuse_waiting(
            id,
            match end {
                RoomEnd::Failed => JoinRefusal::RoomFailed,
                RoomEnd::Closed | RoomEnd::Empty | RoomEnd::Ended => JoinRefusal::RoomClosed,
            },
        );
        self.forget_kept_of(id);
        let Some(room) = self.rooms.remove(&id) else { return };
        self.removed.count(end);
        self.names.remove(&room.name);
        if let Some(owner) = &room.owner {
            self.players.remove_room(owner);
        }
        for ticket in room.tickets() {
            self.seats.remove(ticket);
        }
        if let Some(due) = room.deadline {
            self.deadlines.remove(&(due, id));
        }
    }

    /// Starts or stops the timeout of a room without players.
    fn update_deadline(&mut self, now: Instant, id: RoomId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let deadline = room.timeout().map(|timeout| now + timeout);
        if let Some(due) = std::mem::replace(&mut room.deadline, deadline) {
            self.deadlines.remove(&(due, id));
        }
        self.deadlines.extend(deadline.map(|due| (due, id)));
    }
}
