//! Limits of this crate. Each constant documents the reason for its value.

use std::time::Duration;

pub use mp_core::limits::HOST_GRACE;

/// Maximum length of the name of a room or a template in bytes: a UUID, or a short sentence.
pub const NAME_BYTES_MAX: usize = 64;

/// Maximum length of the code of a private room in bytes.
pub const CODE_BYTES_MAX: usize = 64;

/// Maximum length of a text of an operator for players in bytes: an announcement fits one datagram.
pub const NOTICE_BYTES_MAX: usize = 1_024;

/// Maximum length of a selection in bytes: a URL's path and query, or an authentication packet.
/// Both may also contain a token, and others after it.
pub const SELECTION_BYTES_MAX: usize = 8 * 1024;

/// Default of [`RoomsSettings::max_rooms`](crate::RoomsSettings::max_rooms): about 500 MB of empty
/// relay rooms.
pub const ROOMS_MAX: usize = 16_384;

/// Joins that wait for one room that is being created: those of a full room. Further ones are
/// refused.
pub const WAITING_PER_ROOM_MAX: usize = 4_095;

/// Joins that wait for all rooms that are being created: four endpoints with as many undecided
/// connections as each may have. Further ones are refused.
pub const WAITING_MAX: usize = 4 * mp_core::limits::UNDECIDED_CONNECTIONS_MAX;

/// Default of [`Template::max_players`](crate::Template::max_players).
pub const MAX_PLAYERS_DEFAULT: u16 = 256;

/// Maximum of [`Template::max_players`](crate::Template::max_players): ENet's peers of a host.
pub const PLAYERS_MAX: u16 = 4_095;

/// Default of [`Template::empty_timeout`](crate::Template::empty_timeout): an invitation by message
/// is answered in that time.
pub const EMPTY_TIMEOUT: Duration = Duration::from_secs(300);

/// Default of [`Template::departure_timeout`](crate::Template::departure_timeout): the last player
/// of a room restarts its game in that time.
pub const DEPARTURE_TIMEOUT: Duration = Duration::from_secs(20);

/// Default of [`Template::seat_timeout`](crate::Template::seat_timeout): a client resolves the
/// address and completes its handshake in that time, also after a retry.
pub const SEAT_TIMEOUT: Duration = Duration::from_secs(15);

/// Maximum number of seats of all rooms together, about 10 MB: as many as a server has connections.
pub const SEATS_MAX: usize = 65_536;

/// Maximum number of rooms of a page of the lobby.
pub const LOBBY_PAGE_MAX: usize = 100;

/// Maximum number of texts of a filter.
pub const FILTER_PAIRS_MAX: usize = 16;

/// Maximum length of a text of a filter, and of its key, in bytes.
pub const FILTER_BYTES_MAX: usize = 256;

/// Default of [`QueueSettings::timeout`](crate::QueueSettings::timeout): longer waits are better
/// spent in a lobby.
pub const QUEUE_TIMEOUT: Duration = Duration::from_secs(300);

/// Default of [`QueueSettings::max_players`](crate::QueueSettings::max_players): about 5 MB.
pub const QUEUE_PLAYERS_MAX: usize = 10_000;

/// Maximum of [`QueueSettings::group_size`](crate::QueueSettings::group_size).
pub const QUEUE_GROUP_MAX: u16 = 64;

/// Time between two searches for groups in a queue.
pub const QUEUE_INTERVAL: Duration = Duration::from_secs(1);

/// Time for which the members of a party that has left a queue can read the reason.
pub const QUEUE_END_KEPT: Duration = Duration::from_secs(30);

/// Parties for which one step of a search looks for a group: less than two milliseconds, measured
/// with groups of ten of which no parties add up.
pub const QUEUE_PARTIES_PER_STEP: usize = 32;

/// Parties of near ranks that are considered for one group.
pub const QUEUE_CANDIDATES_MAX: usize = 128;
