//! [`RoomsPlan`]: the rooms of a configuration, and how the clients of its listeners select them.

use mp_identity::Token;
use mp_rooms::{
    Code, InvalidName, Listener, QueueSettings, RoomName, Rooms, RoomsSettings, Selection,
    Template, Unselected,
};

use crate::config::{
    Config, IdentityMethod, ListenConfig, QueueConfig, RoomConfig, RoomSelection, Secret,
    TemplateConfig, Transport,
};
use crate::options;

/// The rooms of a server.
#[derive(Clone, Debug)]
pub(crate) struct RoomsPlan {
    templates: Vec<Template>,
    /// Rooms that are created at the start, and stay.
    pub(crate) rooms: Vec<(RoomName, Template)>,
    settings: RoomsSettings,
    /// True if all clients join one room, with which the server ends.
    pub(crate) is_single_room: bool,
    /// True if players authenticate by a token.
    requires_token: bool,
}

impl RoomsPlan {
    /// Returns the rooms of `config`. Without templates and rooms in the configuration, the only
    /// room is of the type `default_type`. The error is a message.
    pub(crate) fn new(config: &Config, default_type: &str) -> Result<Self, String> {
        let mut templates = Vec::new();
        for (name, given) in &config.templates {
            let mut template = template(name, given)?;
            if name == DEFAULT && template.room_type == RELAY {
                default_type.clone_into(&mut template.room_type);
            }
            templates.push(template);
        }
        let mut rooms = Vec::new();
        for given in &config.rooms {
            let base = templates.iter().find(|it| it.name.as_str() == given.template);
            let base = base.ok_or_else(|| format!("there is no template {:?}", given.template))?;
            rooms.push(room(given, base)?);
        }
        let only = only_room(config);
        if let Some(name) = only.filter(|_| rooms.is_empty()) {
            let of_listener = |it: &&Template| it.name.as_str() == config.listen[0].template;
            if let Some(template) = templates.iter().find(of_listener) {
                rooms.push((checked(name)?, staying(template.clone())));
            }
        }
        let is_single_room = only.is_some() && rooms.len() == 1;
        if is_single_room {
            let max = &mut rooms[0].1.max_players;
            *max = (*max).min(options::max_clients(config));
        }
        let mut settings = RoomsSettings::default();
        settings.max_rooms = config.limits.max_rooms as usize;
        settings.default_template = Some(checked(DEFAULT)?);
        settings.same_player = config.identity.same_player;
        settings.max_players = Some(config.limits.max_clients as usize);
        settings.max_rooms_per_player = config.limits.max_rooms_per_owner.map(|max| max as usize);
        let requires_token = config.identity.method != IdentityMethod::Open;
        Ok(Self { templates, rooms, settings, is_single_room, requires_token })
    }

    /// Returns the name of the room with which the server ends, if there is one.
    pub(crate) fn only_room(&self) -> Option<&RoomName> {
        self.rooms.first().filter(|_| self.is_single_room).map(|(name, _)| name)
    }

    pub(crate) fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// Returns the registry.
    pub(crate) fn registry(&self) -> Rooms {
        let mut rooms = Rooms::new(self.settings.clone(), self.templates.iter().cloned());
        for (name, template) in &self.rooms {
            rooms.reserve(name.clone(), template.clone().into());
        }
        rooms
    }

    /// Returns how the clients of a listener select rooms. The error is a message.
    pub(crate) fn listener(&self, given: &ListenConfig) -> Result<Listener, String> {
        let room = checked(given.room.as_deref().unwrap_or(DEFAULT))?;
        let existing = self.rooms.iter().find(|(name, _)| *name == room);
        let unselected = match given.select {
            RoomSelection::Auth => Unselected::ByAuth,
            _ => Unselected::Room(match existing {
                Some((_, template)) => Selection::new(room).template(template.name.clone()),
                None => Selection::new(room),
            }),
        };
        let mut listener = Listener::of(unselected);
        listener.by_path = given.select == RoomSelection::Path;
        listener.by_query = given.select == RoomSelection::Query;
        listener.template = Some(checked(&given.template)?);
        listener.requires_token = self.requires_token;
        Ok(listener)
    }
}

/// Returns the name of the room that all clients of all listeners join, if there is one.
fn only_room(config: &Config) -> Option<&str> {
    let mut listeners = config.listen.iter().filter(|it| it.transport != Transport::Signaling);
    let first = listeners.next()?;
    let is_same = |it: &ListenConfig| {
        it.select == RoomSelection::Fixed && it.room == first.room && it.template == first.template
    };
    let is_only = is_same(first) && listeners.all(is_same);
    let name = first.room.as_deref().unwrap_or(DEFAULT);
    let is_listed = |it: &RoomConfig| it.name == name;
    (is_only && config.rooms.iter().all(is_listed)).then_some(name)
}

fn template(name: &str, given: &TemplateConfig) -> Result<Template, String> {
    let mut template = Template::new(checked(name)?);
    given.room_type.clone_into(&mut template.room_type);
    template.max_players = given.max_players;
    template.auto_create = given.auto_create;
    template.empty_timeout = given.empty_timeout;
    template.departure_timeout = given.departure_timeout;
    template.relay = given.relay;
    template.host = given.host;
    template.migration.clone_from(&given.migration);
    template.keep = given.keep;
    template.host_key = given.host_key.as_ref().map(host_key).transpose()?;
    template.host_grace = given.host_grace;
    template.code = code(given.private, given.code.as_ref())?;
    template.locked = given.locked;
    template.own_thread = given.own_thread;
    template.moves = given.moves;
    template.resume = given.resume;
    template.notify = given.notify;
    template.record.clone_from(&given.record);
    template.metadata.clone_from(&given.metadata);
    template.receive_limits = given.rates.receive_limits();
    template.matchmaking = given.matchmaking;
    template.seat_timeout = given.seat_timeout;
    template.player_metadata = given.player_metadata.iter().cloned().collect();
    template.queue = given.queue.as_ref().map(queue);
    Ok(template)
}

fn queue(given: &QueueConfig) -> QueueSettings {
    let mut queue = QueueSettings::new(given.players);
    queue.rank_window = given.rank_window.unwrap_or(queue.rank_window);
    queue.rank_window_growth = given.rank_growth;
    queue.rank_attribute.clone_from(&given.rank_attribute);
    queue.confirm_timeout = given.confirm_timeout;
    queue.timeout = given.timeout;
    queue.max_players = given.max_players;
    queue
}

fn room(given: &RoomConfig, base: &Template) -> Result<(RoomName, Template), String> {
    let mut template = staying(base.clone());
    template.max_players = given.max_players.unwrap_or(template.max_players);
    template.locked = given.locked.unwrap_or(template.locked);
    if given.private.is_some() || given.code.is_some() {
        let own = given.code.as_ref();
        let is_private = given.private.unwrap_or_else(|| base.code.is_some());
        template.code = match (is_private, own, &base.code) {
            (true, None, Some(code)) => Some(code.clone()),
            _ => code(is_private, own)?,
        };
    }
    if let Some(metadata) = &given.metadata {
        template.metadata.clone_from(metadata);
    }
    Ok((checked(&given.name)?, template))
}

/// Returns the template of a room that stays without players.
fn staying(mut template: Template) -> Template {
    (template.empty_timeout, template.departure_timeout) = (None, None);
    template
}

fn host_key(key: &Secret) -> Result<Token, String> {
    Token::new(key.reveal()).map_err(|error| error.to_string())
}

fn code(is_private: bool, code: Option<&Secret>) -> Result<Option<Code>, String> {
    let Some(code) = code.filter(|_| is_private) else { return Ok(None) };
    Code::new(code.reveal()).map(Some).map_err(|error| error.to_string())
}

fn checked(name: &str) -> Result<RoomName, String> {
    RoomName::new(name).map_err(|error: InvalidName| error.to_string())
}

/// Name of the room of clients that select none, and of its template.
const DEFAULT: &str = "default";
/// Type of rooms that relay packets between their players.
pub(crate) const RELAY: &str = "relay";

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> RoomsPlan {
        RoomsPlan::new(&Config::parse(text).unwrap(), RELAY).unwrap()
    }

    fn listener(text: &str) -> Listener {
        let config = Config::parse(text).unwrap();
        plan(text).listener(&config.listen[0]).unwrap()
    }

    #[test]
    fn without_a_configuration_there_is_one_room_that_stays() {
        let plan = plan("");
        let [(name, template)] = &plan.rooms[..] else { panic!("{plan:?}") };
        assert!(plan.is_single_room && name.as_str() == "default");
        assert_eq!((template.max_players, template.empty_timeout), (256, None));
        assert!(!plan.listener(&Config::default().listen[0]).unwrap().by_path);
    }

    #[test]
    fn server_has_several_rooms_if_clients_can_select_others() {
        let enet = "[[listen]]\ntransport = \"enet\"\naddress = \"*:1\"\n";
        assert!(plan(enet).is_single_room);
        assert!(plan(&format!("{enet}room = \"lobby\"\n")).is_single_room);
        assert!(!plan(&format!("{enet}select = \"auth\"\n")).is_single_room);
        assert!(!plan("[[room]]\nname = \"lobby\"\n").is_single_room);
        let two = enet.replace(":1", ":2") + "room = \"lobby\"\n";
        assert!(!plan(&format!("{enet}{two}")).is_single_room);
    }

    #[test]
    fn rooms_have_the_settings_of_their_template_or_their_own() {
        let plan = plan(
            r#"
            [template.a]
            bytes_per_second = 1000
            max_players = 3
            own_thread = true
            moves = true
            private = true
            code = "1"
            metadata = { map = "hill" }
            [[room]]
            name = "b"
            template = "a"
            locked = true
            [[room]]
            name = "c"
            template = "a"
            private = false
            max_players = 4"#,
        );
        let [(b, of_b), (c, of_c)] = &plan.rooms[..] else { panic!("{plan:?}") };
        assert_eq!((b.as_str(), c.as_str()), ("b", "c"));
        assert_eq!((of_b.max_players, of_b.locked, of_b.code.is_some()), (3, true, true));
        assert_eq!(of_b.receive_limits.bytes, Some(mp_core::Rate::per_second(1_000)));
        assert_eq!((of_c.max_players, of_c.locked, of_c.code.is_some()), (4, false, false));
        assert!(of_b.own_thread && of_b.moves);
        assert_eq!((of_b.empty_timeout, &of_b.metadata["map"][..]), (None, "hill"));
    }

    #[test]
    fn listeners_select_as_configured() {
        let of = |rest: &str| {
            listener(&format!("[[listen]]\ntransport = \"websocket\"\naddress = \"*:1\"\n{rest}\n"))
        };
        let by_path = of("select = \"path\"\nroom = \"lobby\"");
        assert!(by_path.by_path && !by_path.by_query);
        let lobby = Selection::new(RoomName::new("lobby").unwrap());
        assert_eq!(by_path.unselected, Unselected::Room(lobby));
        assert!(of("select = \"query\"").by_query);
        assert_eq!(of("select = \"auth\"").unselected, Unselected::ByAuth);
        let template = of("template = \"a\"\n[template.a]").template;
        assert_eq!(template, Some(RoomName::new("a").unwrap()));
    }
}
