//! [`Call`]: the request of the admin API for each verb.

use serde_json::{Value, json};

use super::verb::{BanArgs, Verb};
use super::{client, print};
use crate::admin::{
    Announcement, Link, MovePeer, NewBan, NewBots, NewRoom, PlaybackChange, RoomSettings,
};

/// A request of the admin API.
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

impl Call {
    pub(super) fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None }
    }

    fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }
}

/// Returns the name of the list of a response that has pages.
pub(super) fn paged(call: &Call) -> Option<&'static str> {
    match (call.method, &call.path) {
        ("GET", path) if path.ends_with("/peers") => Some("peers"),
        ("GET", path) if path == "/v1/rooms" => Some("rooms"),
        _ => None,
    }
}

/// Function that shows a response to people.
pub(super) type Show = Box<dyn Fn(&Value) -> String>;

/// Returns the request of a verb, and how its response is shown.
pub(super) fn call(verb: Verb) -> (Call, Show) {
    let room = |room: &str| format!("/v1/rooms/{}", client::escaped(room));
    let done = |text: String| -> Show { Box::new(move |_| format!("{text}\n")) };
    match verb {
        Verb::Cluster => (Call::new("GET", "/v1/cluster"), Box::new(print::cluster)),
        Verb::Status => (Call::new("GET", "/v1/status"), Box::new(print::status)),
        Verb::Rooms => (Call::new("GET", "/v1/rooms"), Box::new(print::rooms)),
        Verb::Create { room: name, template, permanent, settings } => {
            let text = format!("{name} is open");
            let RoomSettings { max_players, locked, code, metadata } = settings.into();
            let new = NewRoom { name, template, permanent, max_players, locked, code, metadata };
            (Call::new("POST", "/v1/rooms").with(json!(new)), done(text))
        }
        Verb::Set { room: name, settings } => {
            let settings = RoomSettings::from(settings);
            (Call::new("PATCH", room(&name)).with(json!(settings)), Box::new(print::room))
        }
        Verb::Close { room: name } => {
            (Call::new("DELETE", room(&name)), done(format!("{name} is closed")))
        }
        Verb::HostKey { room: name, once } => {
            let query = if once { "?once=true" } else { "" };
            (Call::new("POST", room(&name) + "/host-key" + query), Box::new(print::host_key))
        }
        Verb::Recordings => (Call::new("GET", "/v1/recordings"), Box::new(print::recordings)),
        Verb::Record { room: name, stop } => {
            let (method, text) = match stop {
                true => ("DELETE", format!("the recording of {name} has ended")),
                false => ("POST", format!("{name} is recorded from its next packet on")),
            };
            (Call::new(method, room(&name) + "/recording"), done(text))
        }
        Verb::Watch { room: name, change } => {
            let (path, change) = (room(&name) + "/playback", PlaybackChange::from(change));
            let call = match change == PlaybackChange::default() {
                true => Call::new("GET", path),
                false => Call::new("PATCH", path).with(json!(change)),
            };
            (call, Box::new(print::playback))
        }
        Verb::Lock { room: name } => {
            let text = format!("{name} refuses new players");
            (Call::new("PATCH", room(&name)).with(json!({"locked": true})), done(text))
        }
        Verb::Unlock { room: name } => {
            let text = format!("{name} accepts players");
            (Call::new("PATCH", room(&name)).with(json!({"locked": false})), done(text))
        }
        Verb::Peers { room: name } => {
            (Call::new("GET", format!("{}/peers", room(&name))), Box::new(print::peers))
        }
        Verb::Nodes { room: name } => {
            (Call::new("GET", format!("{}/nodes", room(&name))), Box::new(print::nodes))
        }
        Verb::Kick { room: name, peer, reason } => {
            let call = Call::new("DELETE", format!("{}/peers/{peer}", room(&name)));
            let text = format!("{peer} is disconnected, and may join again");
            (call.with(json!({"reason": reason})), done(text))
        }
        Verb::Move { room: name, peer, to, code, seat } => {
            let call = Call::new("POST", format!("{}/peers/{peer}/move", room(&name)));
            let text = format!("{peer} is in {to} now");
            (call.with(json!(MovePeer { to, code, seat })), done(text))
        }
        Verb::Link { room: name, peer, clear, conditions } => {
            let path = format!("{}/peers/{peer}/link", room(&name));
            let link = Link::from(conditions);
            if clear {
                (Call::new("DELETE", path), done(format!("{peer} has no simulated link any more")))
            } else if link == Link::default() {
                (Call::new("GET", path), Box::new(print::link))
            } else {
                let text = format!("the link to {peer} is simulated");
                (Call::new("PUT", path).with(json!(link)), done(text))
            }
        }
        Verb::Bots { room: name, end: true, .. } => {
            let call = Call::new("DELETE", format!("{}/bots", room(&name)));
            (call, Box::new(print::ended_bots))
        }
        Verb::Bots { room: name, count, seconds, send, end: false } => {
            let call = Call::new("POST", format!("{}/bots", room(&name)));
            (call.with(json!(NewBots { count, seconds, send })), Box::new(print::joined_bots))
        }
        Verb::Bans => (Call::new("GET", "/v1/bans"), Box::new(print::bans)),
        Verb::Ban { target: BanArgs { address, sub }, seconds, reason } => {
            let ban = NewBan { address, sub, seconds, reason };
            (Call::new("POST", "/v1/bans").with(json!(ban)), Box::new(print::banned))
        }
        Verb::Unban { target: BanArgs { address, sub } } => {
            let key = if sub.is_some() { "sub" } else { "address" };
            let target = address.or(sub).unwrap_or_default();
            let path = format!("/v1/bans?{key}={}", client::escaped(&target));
            (Call::new("DELETE", path), done(format!("{target} is not banned any more")))
        }
        Verb::Announce { text, room: name } => {
            let path = name.map_or_else(|| "/v1".to_owned(), |name| room(&name)) + "/announce";
            let call = Call::new("POST", path).with(json!(Announcement { text }));
            (call, Box::new(print::announced))
        }
        Verb::Drain { timeout } => {
            let call = Call::new("POST", "/v1/drain").with(json!({"timeout_seconds": timeout}));
            (call, done("the server refuses new players, and ends".to_owned()))
        }
        Verb::Reload => (Call::new("POST", "/v1/reload"), Box::new(print::reloaded)),
        Verb::Config => (Call::new("GET", "/v1/config"), Box::new(print::config)),
        Verb::Setup { link, name } => {
            let code = link.rsplit('#').next().unwrap_or_default();
            let call = Call::new("POST", "/v1/setup").with(json!({"code": code, "name": name}));
            (call, Box::new(print::token))
        }
    }
}
