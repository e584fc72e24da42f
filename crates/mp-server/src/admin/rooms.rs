//! `/v1/rooms`: the rooms of the server.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use mp_rooms::{Code, CreateRefusal, RoomInfo, RoomName, RoomState};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::context::AdminContext;
use crate::CreateRoomError;
use crate::http::{Json, Path, Problem, Query, WHOLE_NUMBER_MAX, optional_whole_number};

/// A room.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Room {
    /// Number of the room. Later rooms have larger ones.
    pub(crate) id: u64,
    /// Name, by which players select the room.
    pub(crate) name: String,
    /// Name of its template.
    pub(crate) template: String,
    /// Type: the function of the program that has built it.
    #[serde(rename = "type")]
    pub(crate) room_type: String,
    /// `creating` or `open`.
    pub(crate) state: String,
    /// Players, including those that wait for the room to open.
    pub(crate) players: usize,
    /// Maximum number of players.
    pub(crate) max_players: u16,
    /// True if the room refuses new players.
    pub(crate) locked: bool,
    /// True if new players need a code.
    pub(crate) private: bool,
    /// Texts for lists of rooms.
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Some rooms, by age.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RoomPage {
    /// The rooms.
    pub(crate) rooms: Vec<Room>,
    /// Value of `after` for the next page; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<u64>,
}

/// Selection of a page.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Shows what follows this number. Default: 0.
    #[serde(default)]
    #[param(maximum = 9007199254740991_u64)]
    pub(crate) after: u64,
    /// Maximum number of entries, 1 to 1000. Default: 100.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: usize,
}

fn default_limit() -> usize {
    100
}

impl PageQuery {
    /// Checks the ranges.
    pub(super) fn checked(self) -> Result<Self, Problem> {
        if self.after > WHOLE_NUMBER_MAX {
            let detail = format!("after must be at most {WHOLE_NUMBER_MAX}, not {}", self.after);
            return Err(Problem::bad_request("invalid_after", detail));
        }
        if (1..=LIMIT_MAX).contains(&self.limit) {
            return Ok(self);
        }
        let detail = format!("limit must be between 1 and {LIMIT_MAX}, not {}", self.limit);
        Err(Problem::bad_request("invalid_limit", detail))
    }
}

/// A room to create.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRoom {
    /// Name: 1 to 64 letters, digits, hyphens, underscores and dots.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    pub(crate) name: String,
    /// Name of its template. Default: `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    pub(crate) template: Option<String>,
    /// True if the room stays without players. Default: it closes after the times of its template.
    #[serde(default)]
    pub(crate) permanent: bool,
    /// Maximum number of players, 1 to 4095. Default: that of the template.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_whole_number"
    )]
    #[schema(minimum = 1, maximum = 4095)]
    pub(crate) max_players: Option<u16>,
    /// True if the room refuses new players. Default: that of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) locked: Option<bool>,
    /// Code that players need, 1 to 64 bytes; null: none. Default: that of the template.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    pub(crate) code: Option<Option<String>>,
    /// Texts for lists of rooms. Default: those of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<BTreeMap<String, String>>,
}

/// Changes of a room. What is missing stays as it is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomSettings {
    /// Maximum number of players, 1 to 4095. Players beyond it stay.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_whole_number"
    )]
    #[schema(minimum = 1, maximum = 4095)]
    pub(crate) max_players: Option<u16>,
    /// True if the room refuses new players.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) locked: Option<bool>,
    /// Code that new players need, 1 to 64 bytes; null: none.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    pub(crate) code: Option<Option<String>>,
    /// Texts for lists of rooms, in place of the previous ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<BTreeMap<String, String>>,
}

/// Distinguishes null from a missing value.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

impl NewRoom {
    /// Returns the settings that differ from those of the template.
    fn settings(self) -> RoomSettings {
        let Self { max_players, locked, code, metadata, .. } = self;
        RoomSettings { max_players, locked, code, metadata }
    }
}

impl RoomSettings {
    /// Returns the code, checked with the other settings.
    fn checked(&self) -> Result<Option<Option<Code>>, Problem> {
        if let Some(max) = self.max_players.filter(|max| !(1..=PLAYERS_MAX).contains(max)) {
            let detail = format!("max_players must be between 1 and {PLAYERS_MAX}, not {max}");
            return Err(Problem::bad_request("invalid_max_players", detail));
        }
        let check = |code: &String| Code::new(code);
        let code = self.code.as_ref().map(|code| code.as_ref().map(check).transpose());
        code.transpose().map_err(|error| Problem::bad_request("invalid_code", error))
    }
}

impl From<RoomInfo> for Room {
    fn from(info: RoomInfo) -> Self {
        let state = match info.state {
            RoomState::Creating => "creating",
            _ => "open",
        };
        Self {
            id: info.id.get(),
            name: info.name.to_string(),
            template: info.template.to_string(),
            room_type: info.room_type,
            state: state.to_owned(),
            players: info.players,
            max_players: info.max_players,
            locked: info.is_locked,
            private: info.is_private,
            metadata: info.metadata,
        }
    }
}

impl From<CreateRoomError> for Problem {
    fn from(error: CreateRoomError) -> Self {
        let (status, code) = match error {
            CreateRoomError::Refused(refusal) => {
                let code = mp_core::Reason::label(refusal);
                let status = match refusal {
                    CreateRefusal::NameTaken => StatusCode::CONFLICT,
                    CreateRefusal::UnknownTemplate => StatusCode::BAD_REQUEST,
                    _ => StatusCode::SERVICE_UNAVAILABLE,
                };
                (status, code)
            }
            CreateRoomError::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "room_failed"),
            CreateRoomError::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unreachable"),
            CreateRoomError::Ended => (StatusCode::SERVICE_UNAVAILABLE, "server_ended"),
        };
        Self::new(status, code, error)
    }
}

/// Returns the room of this name.
pub(super) async fn find(context: &AdminContext, name: &str) -> Result<RoomInfo, Problem> {
    let unknown = || Problem::not_found("unknown_room", format!("there is no room {name:?}"));
    let valid = RoomName::new(name).map_err(|_| unknown())?;
    context.rooms().find(&valid).await?.ok_or_else(unknown)
}

fn valid_name(name: &str) -> Result<RoomName, Problem> {
    RoomName::new(name).map_err(|error| Problem::bad_request("invalid_name", error))
}

/// List the rooms by age
#[utoipa::path(
    get,
    path = "/v1/rooms",
    operation_id = "list_rooms",
    tag = "rooms",
    security(("token" = ["read"])),
    params(PageQuery),
    responses((status = 200, body = RoomPage), Problem)
)]
pub(super) async fn list(
    State(context): State<AdminContext>,
    Query(query): Query<PageQuery>,
) -> Result<Json<RoomPage>, Problem> {
    let PageQuery { after, limit } = query.checked()?;
    let mut rooms = context.rooms().page(after, limit + 1).await?;
    let has_more = rooms.len() > limit;
    rooms.truncate(limit);
    let next = rooms.last().filter(|_| has_more).map(|room| room.id.get());
    Ok(Json(RoomPage { rooms: rooms.into_iter().map(Room::from).collect(), next }))
}

/// Show a room
#[utoipa::path(
    get,
    path = "/v1/rooms/{room}",
    operation_id = "show_room",
    tag = "rooms",
    security(("token" = ["read"])),
    params(("room" = String, Path, description = "Name of the room", example = "default")),
    responses((status = 200, body = Room), Problem)
)]
pub(super) async fn get(
    State(context): State<AdminContext>,
    Path(name): Path<String>,
) -> Result<Json<Room>, Problem> {
    find(&context, &name).await.map(|room| Json(room.into()))
}

/// Create a room, and wait until it is open
#[utoipa::path(
    post,
    path = "/v1/rooms",
    operation_id = "create_room",
    tag = "rooms",
    security(("token" = ["rooms"])),
    request_body = NewRoom,
    responses(
        (status = 201, body = Room, links(
            ("show" = (operation_id = "show_room", parameters(("room" = "$response.body#/name")))),
            ("change" = (
                operation_id = "change_room", parameters(("room" = "$response.body#/name"))
            )),
            ("close" = (operation_id = "close_room", parameters(("room" = "$response.body#/name")))),
            ("peers" = (operation_id = "list_peers", parameters(("room" = "$response.body#/name")))),
        )),
        Problem,
    )
)]
pub(super) async fn create(
    State(context): State<AdminContext>,
    Json(given): Json<NewRoom>,
) -> Result<(StatusCode, Json<Room>), Problem> {
    let name = valid_name(&given.name)?;
    let of_template = valid_name(given.template.as_deref().unwrap_or(DEFAULT))?;
    let permanent = given.permanent;
    let settings = given.settings();
    let code = settings.checked()?;
    let unknown = CreateRoomError::Refused(CreateRefusal::UnknownTemplate);
    let template = context.rooms().template(&of_template).await?.ok_or(unknown)?;
    let mut template = (*template).clone();
    let RoomSettings { max_players, locked, metadata, .. } = settings;
    template.max_players = max_players.unwrap_or(template.max_players);
    template.locked = locked.unwrap_or(template.locked);
    template.code = code.unwrap_or(template.code);
    template.metadata = metadata.unwrap_or(template.metadata);
    if permanent {
        (template.empty_timeout, template.departure_timeout) = (None, None);
    }
    context.rooms().create_with(name.clone(), template).await?;
    let room = find(&context, name.as_str()).await?;
    Ok((StatusCode::CREATED, Json(room.into())))
}

/// Change a room: lock it, set its code, its maximum number of players, or its metadata
#[utoipa::path(
    patch,
    path = "/v1/rooms/{room}",
    operation_id = "change_room",
    tag = "rooms",
    security(("token" = ["rooms"])),
    params(("room" = String, Path, description = "Name of the room", example = "default")),
    request_body = RoomSettings,
    responses((status = 200, body = Room), Problem)
)]
pub(super) async fn change(
    State(context): State<AdminContext>,
    Path(name): Path<String>,
    Json(settings): Json<RoomSettings>,
) -> Result<Json<Room>, Problem> {
    let code = settings.checked()?;
    let (room, rooms) = (find(&context, &name).await?.id, context.rooms());
    if let Some(max) = settings.max_players {
        rooms.set_max_players(room, max).await?;
    }
    if let Some(locked) = settings.locked {
        rooms.set_locked(room, locked).await?;
    }
    if let Some(code) = code {
        rooms.set_code(room, code).await?;
    }
    if let Some(metadata) = settings.metadata {
        rooms.set_metadata(room, metadata).await?;
    }
    find(&context, &name).await.map(|room| Json(room.into()))
}

/// Close a room, and disconnect its players
#[utoipa::path(
    delete,
    path = "/v1/rooms/{room}",
    operation_id = "close_room",
    tag = "rooms",
    security(("token" = ["rooms"])),
    params(("room" = String, Path, description = "Name of the room", example = "default")),
    responses((status = 204), Problem)
)]
pub(super) async fn close(
    State(context): State<AdminContext>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let room = find(&context, &name).await?;
    if context.only_room() == Some(&room.name) {
        let detail = "the server ends with its only room; drain the server instead";
        return Err(Problem::new(StatusCode::CONFLICT, "only_room", detail));
    }
    context.rooms().close(room.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Name of the template of rooms that name none.
const DEFAULT: &str = "default";
/// Maximum number of entries of a page.
const LIMIT_MAX: usize = 1_000;
/// Maximum number of players of a room.
const PLAYERS_MAX: u16 = 4_095;
