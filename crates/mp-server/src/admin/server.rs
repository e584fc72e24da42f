//! `/v1/drain`, `/v1/reload` and `/v1/config`: the server as a process.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::context::AdminContext;
use crate::http::{Json, OptionalJson, Problem, optional_whole_number};

/// A request to end the server.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drain {
    /// Seconds that the server waits for its players to leave, 0 to 86400. Default: the setting
    /// `shutdown.drain_timeout`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_whole_number"
    )]
    #[schema(maximum = 86400)]
    pub(crate) timeout_seconds: Option<u64>,
}

/// The result of a reload.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Reloaded {
    /// Changed settings that apply now.
    pub(crate) applied: Vec<String>,
    /// Changed settings that apply at the next start.
    pub(crate) needs_restart: Vec<String>,
}

/// The configuration in effect.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct EffectiveConfig {
    /// All settings.
    pub(crate) settings: Vec<Setting>,
}

/// A setting.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Setting {
    /// Path, such as `limits.max_clients`.
    pub(crate) path: String,
    /// Value as TOML; asterisks in place of a secret; missing if it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
    /// Origin: the default, a line of the file, a variable, or a flag.
    pub(crate) origin: String,
}

/// Refuse new players, wait until the others have left, and end the server, as at SIGTERM
#[utoipa::path(
    post,
    path = "/v1/drain",
    operation_id = "drain",
    tag = "server",
    security(("token" = ["server"])),
    request_body(content = Option<Drain>, description = "Time to wait"),
    responses((status = 202), Problem)
)]
pub(super) async fn drain(
    State(context): State<AdminContext>,
    OptionalJson(Drain { timeout_seconds }): OptionalJson<Drain>,
) -> Result<StatusCode, Problem> {
    if timeout_seconds.is_some_and(|seconds| seconds > TIMEOUT_MAX) {
        let detail = format!("timeout_seconds must be between 0 and {TIMEOUT_MAX}");
        return Err(Problem::bad_request("invalid_timeout", detail));
    }
    let default = context.config().shutdown.drain_timeout;
    let timeout = timeout_seconds.map_or(default, Duration::from_secs);
    let is_draining = context.rooms().is_draining().await?;
    if is_draining || !context.drain_requests().request(timeout) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "draining",
            "the server is draining already",
        ));
    }
    Ok(StatusCode::ACCEPTED)
}

/// Read the configuration file again, as at SIGHUP
#[utoipa::path(
    post,
    path = "/v1/reload",
    operation_id = "reload",
    tag = "server",
    security(("token" = ["server"])),
    responses((status = 200, body = Reloaded), Problem)
)]
pub(super) async fn reload(State(context): State<AdminContext>) -> Result<Json<Reloaded>, Problem> {
    let reloader = context.reloader().clone();
    // It reads a file.
    let reloaded = tokio::task::spawn_blocking(move || reloader.reload()).await;
    let failed = |detail: &dyn std::fmt::Display| {
        Problem::new(StatusCode::CONFLICT, "invalid_config", detail.to_string())
    };
    let reload = reloaded.map_err(|panicked| failed(&panicked))?.map_err(|it| failed(&it))?;
    let owned = |paths: Vec<&str>| paths.into_iter().map(str::to_owned).collect();
    let (applied, needs_restart) = (owned(reload.applied()), owned(reload.needs_restart()));
    Ok(Json(Reloaded { applied, needs_restart }))
}

/// Show the configuration in effect, without secrets
#[utoipa::path(
    get,
    path = "/v1/config",
    operation_id = "show_config",
    tag = "server",
    security(("token" = ["server"])),
    responses((status = 200, body = EffectiveConfig), Problem)
)]
pub(super) async fn config(State(context): State<AdminContext>) -> Json<EffectiveConfig> {
    let settings = context.config().effective().into_iter();
    let settings = settings.map(|(path, value, origin)| Setting { path, value, origin });
    Json(EffectiveConfig { settings: settings.collect() })
}

/// Maximum time to wait for players, in seconds.
const TIMEOUT_MAX: u64 = 86_400;
