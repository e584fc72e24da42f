//! [`RoomRouter`]: reads which room a connection selects, and leaves the decision to the registry.

use std::collections::BTreeMap;

use mp_core::{
    ConnectionId, ConnectionRouter, DisconnectReason, NewConnection, OutgoingPacket, Packet, Route,
};
use mp_identity::{Credentials, Token};

use crate::auth_packet::{auth_data, completion, rejection};
use crate::join::{Join, ListenerConnection, ListenerId};
use crate::listener::Listener;
use crate::notice::Notice;
use crate::refusal::JoinRefusal;
use crate::resume::Resume;
use crate::selection::{
    Selection, code_of_auth, resume_of_auth, resume_of_url, token_of_auth, token_of_url,
};

/// The way from a router to the registry, which may run on another thread.
pub trait RoomRegistry {
    /// Queues a join. The registry decides about its connection
    /// ([`Endpoint::decide`](mp_core::Endpoint::decide)). Returns false if the queue is full: the
    /// router then rejects the connection.
    fn join(&mut self, join: Join) -> bool;

    /// Queues the end of a connection whose join was queued. It must not be lost.
    fn leave(&mut self, connection: ListenerConnection);
}

/// The router of one endpoint. It passes the selection of each connection to the registry and
/// leaves the decision to it. The endpoint rejects connections about which the registry does not
/// decide, or that select no room, after
/// [`UNDECIDED_TIMEOUT`](mp_core::limits::UNDECIDED_TIMEOUT).
///
/// A connection that selects by authentication packet ([`Unselected::ByAuth`]), or sends its token
/// in one, is authenticated by the room, if the room does so: it receives all packets, also those
/// with a token. Otherwise the router completes the authentication, and the client enters the room
/// when it has completed it, too.
///
/// A client that is rejected after it has sent an authentication packet receives one with the
/// reason, a JSON object: `{"code": "room_full", "text": "the room is full"}`. The codes are the
/// labels of [`JoinRefusal`]. Godot passes the data to `auth_callback`. Other clients would log an
/// error. Those with a URL over WebRTC, whose close has no reason, receive the object as a raw
/// packet of peer 1, which Godot passes to `peer_packet`.
///
/// [`Unselected::ByAuth`]: crate::Unselected::ByAuth
#[derive(Debug)]
pub struct RoomRouter<R: RoomRegistry> {
    id: ListenerId,
    listener: Listener,
    registry: R,
    connections: BTreeMap<ConnectionId, Progress>,
}

/// The progress of a connection. It is false by default that something has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Progress {
    /// True once the join was passed to the registry.
    is_joining: bool,
    /// True once the client has sent an authentication packet, so that it can receive one.
    has_sent_auth: bool,
    /// True if the client selects or authenticates by authentication packet, so that the router
    /// answers if the room does not authenticate.
    joins_by_auth: bool,
    /// The client's selection, or that of the listener, if the first authentication packet is
    /// expected for another reason.
    selected: Option<Selected>,
    /// Token of the URL.
    token: Option<Token>,
    /// Resume ticket of the URL or the authentication packet.
    resume: Option<Result<Resume, JoinRefusal>>,
    /// True once the client has completed its authentication.
    is_completed: bool,
    /// Route to the room that admitted the connection without authenticating it.
    admitted: Option<Route>,
}

/// The selection of a client, or of its listener.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Selected {
    selection: Result<Selection, JoinRefusal>,
    /// True if the client could select a room and has selected none.
    is_default: bool,
}

impl From<Result<Selection, JoinRefusal>> for Selected {
    fn from(selection: Result<Selection, JoinRefusal>) -> Self {
        Self { selection, is_default: false }
    }
}

impl<R: RoomRegistry> RoomRouter<R> {
    /// Returns the router of the endpoint `id`.
    pub fn new(id: ListenerId, listener: Listener, registry: R) -> Self {
        Self { id, listener, registry, connections: BTreeMap::new() }
    }

    /// Returns the number of connections of the endpoint.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    fn join(
        &mut self,
        new: &NewConnection<'_>,
        Selected { selection, is_default }: Selected,
        token: Option<Token>,
    ) -> Route {
        let (claimed_id, connection) = (new.claimed_id, new.connection);
        let connection = ListenerConnection { listener: self.id, connection };
        let address = new.origin.address().map(|address| address.ip());
        let room = selection.as_ref().ok().filter(|_| !is_default);
        let room = room.map(|selection| selection.room.to_string());
        let credentials = Credentials { token, address, room };
        let template = self.listener.template.clone();
        let resume = self.progress(new.connection).resume;
        let join =
            Join { connection, claimed_id, selection, is_default, template, credentials, resume };
        if !self.registry.join(join) {
            return Route::Reject(JoinRefusal::TooManyWaiting.disconnect_reason());
        }
        self.progress(new.connection).is_joining = true;
        Route::Undecided
    }

    /// Joins by the first authentication packet.
    fn join_by_auth(&mut self, new: &NewConnection<'_>, data: Option<&[u8]>) -> Route {
        let progress = self.progress(new.connection);
        let (selected, token) = (progress.selected.take(), progress.token.take());
        let by_auth = match data {
            Some(data) => self.read_auth(data, selected, token),
            None => Err(JoinRefusal::NoAuthentication),
        };
        if let Some(data) = data
            && let Some(resume) = resume_of_auth(data).transpose()
        {
            self.progress(new.connection).resume.get_or_insert(resume);
        }
        let (selected, token) = by_auth.unwrap_or_else(|refusal| (Err(refusal).into(), None));
        self.join(new, selected, token)
    }

    /// Returns the selection and the token of the first authentication packet, or those that are
    /// known already.
    fn read_auth(
        &self,
        data: &[u8],
        selected: Option<Selected>,
        token: Option<Token>,
    ) -> Result<(Selected, Option<Token>), JoinRefusal> {
        let token = match token {
            Some(token) => Some(token),
            None => self.listener.checked(token_of_auth(data))?,
        };
        let Some(mut selected) = selected else {
            let selection = Selection::from_auth(data);
            let selection = selection.map(|selection| self.listener.with_template(selection));
            return Ok((selection.into(), token));
        };
        if let Ok(Selection { code: code @ None, .. }) = &mut selected.selection {
            *code = code_of_auth(data)?;
        }
        Ok((selected, token))
    }

    fn progress(&mut self, connection: ConnectionId) -> &mut Progress {
        self.connections.entry(connection).or_default()
    }

    /// Sends the reason of a rejection to a client that authenticates, or whose transport closes
    /// connections without a reason. Returns the route.
    fn explain(
        &self,
        new: &NewConnection<'_>,
        route: Route,
        replies: &mut Vec<OutgoingPacket>,
    ) -> Route {
        let (code, text) = match &route {
            Route::Reject(DisconnectReason::Rejected(reason)) => (reason.code(), reason.text()),
            Route::RejectWith { code, text, .. } => (&**code, &**text),
            _ => return route,
        };
        let is_web_rtc = || new.origin.url().is_some_and(|url| url.starts_with("webrtc:"));
        if self.connections.get(&new.connection).is_some_and(|it| it.has_sent_auth) {
            replies.push(rejection(new.connection, code, text));
        } else if is_web_rtc() {
            replies.push(Notice::rejection(code, text).packet(new.connection));
        }
        route
    }
}

impl<R: RoomRegistry> ConnectionRouter for RoomRouter<R> {
    fn route(&mut self, new: &NewConnection<'_>, _: &mut Vec<OutgoingPacket>) -> Route {
        let by_url = self.listener.select_by_url(new.origin);
        let is_default = by_url.is_none() && self.listener.is_selectable();
        let selection = by_url.or_else(|| self.listener.select_unselected());
        let selected = selection.map(|selection| Selected { selection, is_default });
        let token = new.origin.url().map_or(Ok(None), token_of_url);
        let (selected, token) = match self.listener.checked(token) {
            Ok(token) => (selected, token),
            Err(refusal) => (Some(Err(refusal).into()), None),
        };
        let resume = new.origin.url().and_then(|url| resume_of_url(url).transpose());
        // A ticket selects the room.
        let no_room = || Selected::from(Err(JoinRefusal::NoRoomSelected));
        let selected = selected.or_else(|| resume.is_some().then(no_room));
        self.progress(new.connection).resume = resume;
        match selected {
            Some(selected) if token.is_some() || !self.listener.requires_token => {
                self.join(new, selected, token)
            }
            selected => {
                let progress = self.progress(new.connection);
                *progress = Progress {
                    joins_by_auth: true,
                    selected,
                    token,
                    resume,
                    ..Progress::default()
                };
                Route::Undecided
            }
        }
    }

    fn handle_packet(
        &mut self,
        new: &NewConnection<'_>,
        packet: &Packet,
        replies: &mut Vec<OutgoingPacket>,
    ) -> Route {
        let data = auth_data(&packet.payload);
        let progress = self.progress(new.connection);
        progress.has_sent_auth |= data.is_some();
        let route = if progress.is_joining {
            // The packet is kept for the room.
            progress.is_completed |= data.is_some_and(<[u8]>::is_empty);
            progress.route()
        } else {
            self.join_by_auth(new, data)
        };
        self.explain(new, route, replies)
    }

    fn handle_decision(
        &mut self,
        new: &NewConnection<'_>,
        decision: Route,
        replies: &mut Vec<OutgoingPacket>,
    ) -> Route {
        let progress = self.progress(new.connection);
        if let Route::Admit(_) | Route::Resume(..) = decision
            && progress.joins_by_auth
        {
            progress.admitted = Some(decision);
            replies.push(completion(new.connection));
            return progress.route();
        }
        self.explain(new, decision, replies)
    }

    fn retain_packets(&mut self, connection: ConnectionId, packets: &mut Vec<Packet>) {
        if self.connections.get(&connection).is_some_and(|it| it.admitted.is_some()) {
            packets.retain(|packet| auth_data(&packet.payload).is_none());
        }
    }

    fn forget(&mut self, connection: ConnectionId) {
        if self.connections.remove(&connection).is_some_and(|it| it.is_joining) {
            self.registry.leave(ListenerConnection { listener: self.id, connection });
        }
    }
}

/// Reports the end of all connections, should the endpoint end without closing them.
impl<R: RoomRegistry> Drop for RoomRouter<R> {
    fn drop(&mut self) {
        while let Some((&connection, _)) = self.connections.first_key_value() {
            self.forget(connection);
        }
    }
}

impl Progress {
    /// Assigns the connection if it is admitted and both sides have completed.
    fn route(&self) -> Route {
        match &self.admitted {
            Some(route) if self.is_completed => route.clone(),
            _ => Route::Undecided,
        }
    }
}
