//! [`ResumeTicket`]: the secret with which a player resumes its session after a lost connection.

use std::fmt;
use std::time::Duration;

use mp_core::{PeerId, Rng};

use crate::join::ListenerConnection;
use crate::matchmaking::{Ticket, TicketHash};
use crate::name::{RoomId, RoomName};
use crate::refusal::JoinRefusal;
use crate::selection::{resume_of_url, value_of};

/// The secret with which a player resumes its session in a room after its connection was lost: 128
/// random bits, and the peer id of the player, which is not secret. Its text is `mpr_`, 22
/// characters of base64url, a dot and the peer id. `Debug` does not show it.
///
/// Each ticket is valid once. The registry keeps only the [`hash`](Self::hash).
#[derive(Clone)]
pub struct ResumeTicket {
    secret: Ticket,
    peer: PeerId,
}

/// The request of a connection to resume the session of a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "tests construct it")]
pub struct Resume {
    /// Hash of the ticket.
    pub ticket: TicketHash,
    /// The player.
    pub peer: PeerId,
}

/// The session of a player with an identity, which the player can resume
/// ([`Rooms::session_of`](crate::Rooms::session_of)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlayerSession {
    /// The connection whose session it is.
    pub connection: ListenerConnection,
    /// The player.
    pub peer: PeerId,
    /// The room.
    pub room: RoomId,
    /// Its name.
    pub name: RoomName,
    /// Name of its template.
    pub template: RoomName,
    /// Time for which the place is still kept, or would be if the connection was lost now.
    pub time: Duration,
}

impl ResumeTicket {
    /// First characters of the text of each ticket.
    pub const PREFIX: &str = "mpr_";

    /// Returns a new ticket for a player. The generator must be seeded by the operating system
    /// ([`os_seed`](mp_core::host::os_seed)).
    pub fn random(rng: &mut Rng, peer: PeerId) -> Self {
        Self { secret: Ticket::random(rng), peer }
    }

    /// Returns the ticket of a player with this secret.
    pub fn new(secret: Ticket, peer: PeerId) -> Self {
        Self { secret, peer }
    }

    /// Returns the ticket with this text; `None` if it is not the text of a ticket.
    pub fn parse(text: &str) -> Option<Self> {
        let (digits, peer) = text.strip_prefix(Self::PREFIX)?.split_once('.')?;
        let secret = Ticket::parse(&format!("{}{digits}", Ticket::PREFIX))?;
        let is_number = peer.len() <= 10 && peer.bytes().all(|byte| byte.is_ascii_digit());
        let peer = PeerId::new(peer.parse().ok().filter(|_| is_number)?)?;
        Some(Self { secret, peer })
    }

    /// Returns the text of the ticket, which is secret.
    pub fn reveal(&self) -> String {
        let secret = self.secret.reveal();
        format!("{}{}.{}", Self::PREFIX, &secret[Ticket::PREFIX.len()..], self.peer)
    }

    /// Returns the hash by which the registry finds the player.
    pub fn hash(&self) -> TicketHash {
        self.secret.hash()
    }

    /// Returns the peer id of the player.
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Returns the request to resume the session of the player.
    pub fn resume(&self) -> Resume {
        Resume { ticket: self.hash(), peer: self.peer }
    }
}

impl fmt::Debug for ResumeTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResumeTicket({})", self.peer)
    }
}

/// Returns the peer id of the ticket in the query of a URL, `?resume=TICKET`, for a transport that
/// assigns ids: a client with a ticket gets the id of its session. Whether the ticket is valid is
/// decided when the client joins. `None` if the URL has no ticket, or a malformed one.
pub fn resumed_id(url: &str) -> Option<PeerId> {
    resume_of_url(url).ok().flatten().map(|resume| resume.peer).filter(|peer| !peer.is_server())
}

/// Returns the ticket of pairs such as `room=a&resume=b`.
pub(crate) fn parse_resume(query: &str) -> Result<Option<Resume>, JoinRefusal> {
    let Some(text) = value_of(query, "resume")? else { return Ok(None) };
    let ticket = ResumeTicket::parse(&text).ok_or(JoinRefusal::InvalidResume)?;
    Ok(Some(ticket.resume()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> ResumeTicket {
        ResumeTicket::random(&mut Rng::seed_from_u64(1), PeerId::new(1_234).unwrap())
    }

    #[test]
    fn ticket_is_read_from_its_text_and_not_shown() {
        let text = ticket().reveal();
        assert_eq!((&text[..4], &text[26..]), ("mpr_", ".1234"));
        let read = ResumeTicket::parse(&text).unwrap();
        assert_eq!(read.resume(), ticket().resume());
        assert_eq!(format!("{read:?}"), "ResumeTicket(1234)");
    }

    #[test]
    fn texts_that_are_no_tickets_are_refused() {
        for text in [
            "",
            "mpr_",
            "mpr_AAAAAAAAAAAAAAAAAAAAAA",
            "mpr_AAAAAAAAAAAAAAAAAAAAAA.",
            "mpr_AAAAAAAAAAAAAAAAAAAAAA.0",
            "mpr_AAAAAAAAAAAAAAAAAAAAAA.-5",
            "mpr_AAAAAAAAAAAAAAAAAAAAAA.+5",
            "mpr_AAAAAAAAAAAAAAAAAAAAAA.2147483648",
            "mpr_AAAAAAAAAAAAAAAAAAAAA.5",
            "mpt_AAAAAAAAAAAAAAAAAAAAAA.5",
        ] {
            assert!(ResumeTicket::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn ticket_in_a_url_has_the_id_of_its_player() {
        let text = ticket().reveal();
        for url in [
            format!("ws://host/?resume={text}"),
            format!("ws://host/arena?token=x&resume={text}#a"),
            format!("ws://host/?resume={}", text.replace('.', "%2E")),
        ] {
            assert_eq!(resumed_id(&url), PeerId::new(1_234), "{url}");
        }
        let of_server = text.replace("1234", "1");
        for url in [
            format!("ws://host/{text}"),
            format!("ws://host/?token={text}"),
            format!("ws://host/?resume={text}&resume={text}"),
            format!("ws://host/?resume={of_server}"),
            "ws://host/?resume=x".to_owned(),
        ] {
            assert_eq!(resumed_id(&url), None, "{url}");
        }
    }
}
