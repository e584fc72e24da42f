//! [`Listener`]: how the clients of an endpoint select a room.

use mp_core::ConnectionOrigin;
use mp_identity::Token;

use crate::name::RoomName;
use crate::refusal::JoinRefusal;
use crate::selection::Selection;

/// The way in which the clients of an endpoint select a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// True if the query of the URL may select a room. Default: no.
    pub by_query: bool,
    /// True if the path of the URL may select a room, unless the query does. Default: no.
    pub by_path: bool,
    /// Room of clients whose URL selects none, or that have no URL.
    pub unselected: Unselected,
    /// Template of all rooms that clients of this endpoint can join, unless they select another
    /// one. Default: none.
    pub template: Option<RoomName>,
    /// True if players authenticate by a token: that of the URL, else that of the first
    /// authentication packet, which the router then expects. Default: no; a token is passed on if
    /// there is one.
    pub requires_token: bool,
}

/// The room of clients whose URL selects none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unselected {
    /// They join this room.
    Room(Selection),
    /// Their first authentication packet selects the room.
    ByAuth,
    /// They are refused.
    Refuse,
}

impl Listener {
    /// Returns a listener whose clients join `room`.
    pub fn room(room: RoomName) -> Self {
        Self::of(Unselected::Room(Selection::new(room)))
    }

    /// Returns a listener whose clients select a room by their first authentication packet.
    pub fn by_auth() -> Self {
        Self::of(Unselected::ByAuth)
    }

    /// Returns a listener whose clients select a room by the query or the path of their URL.
    pub fn by_url() -> Self {
        Self { by_query: true, by_path: true, ..Self::of(Unselected::Refuse) }
    }

    /// Returns a listener without selection by URL.
    pub fn of(unselected: Unselected) -> Self {
        let (by_query, by_path, requires_token) = (false, false, false);
        Self { by_query, by_path, unselected, template: None, requires_token }
    }

    /// Returns whether clients can select a room, by the URL or by authentication packet.
    pub(crate) fn is_selectable(&self) -> bool {
        self.by_query || self.by_path || self.unselected == Unselected::ByAuth
    }

    /// Returns the selection of a new connection by its URL; `None` if it has none.
    pub(crate) fn select_by_url(
        &self,
        origin: &ConnectionOrigin,
    ) -> Option<Result<Selection, JoinRefusal>> {
        let selection = self.by_url_of(origin).transpose()?;
        Some(selection.map(|selection| self.with_template(selection)))
    }

    /// Returns the selection of a new connection; `None` if its first authentication packet
    /// selects.
    #[cfg(test)]
    fn select(&self, origin: &ConnectionOrigin) -> Option<Result<Selection, JoinRefusal>> {
        self.select_by_url(origin).or_else(|| self.select_unselected())
    }

    /// Returns the selection of a connection whose URL selects no room; `None` if its first
    /// authentication packet selects.
    pub(crate) fn select_unselected(&self) -> Option<Result<Selection, JoinRefusal>> {
        match &self.unselected {
            Unselected::Room(selection) => Some(Ok(self.with_template(selection.clone()))),
            Unselected::ByAuth => None,
            Unselected::Refuse => Some(Err(JoinRefusal::NoRoomSelected)),
        }
    }

    /// Returns the token of a client. A malformed one is ignored if no token is required: it may be
    /// meant for the room.
    pub(crate) fn checked(
        &self,
        token: Result<Option<Token>, JoinRefusal>,
    ) -> Result<Option<Token>, JoinRefusal> {
        if self.requires_token { token } else { Ok(token.unwrap_or_default()) }
    }

    /// Adds the listener's template to a selection without one.
    pub(crate) fn with_template(&self, mut selection: Selection) -> Selection {
        if selection.template.is_none() {
            selection.template.clone_from(&self.template);
        }
        selection
    }

    fn by_url_of(&self, origin: &ConnectionOrigin) -> Result<Option<Selection>, JoinRefusal> {
        let Some(url) = origin.url() else { return Ok(None) };
        if self.by_query
            && let Some(selection) = Selection::from_query(url)?
        {
            return Ok(Some(selection));
        }
        if self.by_path { Selection::from_path(url) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RoomName {
        RoomName::new(text).unwrap()
    }

    fn origin(url: &str) -> ConnectionOrigin {
        ConnectionOrigin::Url { address: ([192, 0, 2, 1], 5).into(), url: url.into() }
    }

    fn room(text: &str) -> Option<Result<Selection, JoinRefusal>> {
        Some(Ok(Selection::new(name(text))))
    }

    #[test]
    fn query_precedes_the_path_and_both_precede_the_listeners_room() {
        let listener = Listener {
            by_query: true,
            by_path: true,
            ..Listener::of(Unselected::Room(Selection::new(name("main"))))
        };
        for (url, expected) in
            [("ws://host/a?room=b", "b"), ("ws://host/a", "a"), ("ws://host/", "main")]
        {
            assert_eq!(listener.select(&origin(url)), room(expected), "{url}");
        }
        assert_eq!(listener.select(&ConnectionOrigin::Process), room("main"));
        let malformed = listener.select(&origin("ws://host/?room="));
        assert_eq!(malformed, Some(Err(JoinRefusal::InvalidName)), "not the listener's room");
    }

    #[test]
    fn url_selects_nothing_unless_the_listener_allows_it() {
        let (url, listener) = (origin("ws://host/a?room=b"), Listener::room(name("main")));
        assert_eq!(listener.select(&url), room("main"));
        assert_eq!(Listener { by_path: true, ..listener }.select(&url), room("a"));
        assert_eq!(Listener::by_auth().select(&url), None);
        let refused = Listener::by_url().select(&ConnectionOrigin::Process);
        assert_eq!(refused, Some(Err(JoinRefusal::NoRoomSelected)));
    }

    #[test]
    fn listener_adds_its_template() {
        let listener = Listener { template: Some(name("arena")), ..Listener::by_url() };
        let template = |url| listener.select(&origin(url)).unwrap().unwrap().template;
        assert_eq!(template("ws://host/a"), Some(name("arena")));
        assert_eq!(template("ws://host/duel/a"), Some(name("duel")));
    }
}
