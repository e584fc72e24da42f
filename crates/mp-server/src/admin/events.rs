//! `GET /v1/events`: changes of rooms, and statistics, as server-sent events.

use std::time::Duration;

use axum::extract::State;
use serde::Deserialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior};
use utoipa::IntoParams;

use super::context::AdminContext;
use super::rooms::Room;
use super::status;
use super::viewer::{EventResponse, Viewer};
use crate::http::{Problem, Query};
use crate::rooms::RoomChange;

/// Selection of events.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    /// Adds `status` and `metrics`, at once and then every second. Default: false.
    #[serde(default)]
    statistics: bool,
}

/// Follow the rooms, and the statistics of the server, as server-sent events
///
/// `room`: a room was created, opened or changed, or a player joined, left or moved; the data is
/// the room. `closed`: the room with this `id` was closed. `missed`: the client was too slow and
/// lost as many events as `count`; list the rooms again. `status`: as `GET /v1/status` responds.
/// `metrics`: the samples of `GET /metrics`, as lines of OpenMetrics text. A comment is sent every
/// 15 seconds.
#[utoipa::path(
    get,
    path = "/v1/events",
    operation_id = "follow_server",
    tag = "rooms",
    security(("token" = ["read"])),
    params(EventsQuery),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        Problem,
    )
)]
pub(super) async fn get(
    State(context): State<AdminContext>,
    Query(query): Query<EventsQuery>,
) -> Result<EventResponse, Problem> {
    let (viewer, response) = Viewer::open(&context)?;
    let changes = context.rooms().changes().await?;
    tokio::spawn(follow(context, changes, viewer, query));
    Ok(response)
}

/// Sends events to a viewer until it leaves, or the server stops.
async fn follow(
    context: AdminContext,
    mut changes: broadcast::Receiver<RoomChange>,
    viewer: Viewer,
    EventsQuery { statistics }: EventsQuery,
) {
    let mut seconds = each_second();
    loop {
        let is_sent = tokio::select! {
            change = changes.recv() => match change {
                Ok(change) => send_change(&viewer, change).await,
                Err(RecvError::Lagged(count)) => send_missed(&viewer, count).await,
                Err(RecvError::Closed) => return,
            },
            _ = seconds.tick(), if statistics => send_statistics(&context, &viewer).await,
            () = viewer.left() => return,
        };
        if !is_sent {
            return;
        }
    }
}

/// Returns a timer for the statistics of a viewer. It skips ticks while the viewer is slow.
pub(super) fn each_second() -> Interval {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    seconds
}

async fn send_change(viewer: &Viewer, change: RoomChange) -> bool {
    match change {
        RoomChange::Changed(room) => viewer.send("room", &Room::from(room)).await,
        RoomChange::Closed(room) => {
            viewer.send("closed", &serde_json::json!({"id": room.get()})).await
        }
    }
}

async fn send_missed(viewer: &Viewer, count: u64) -> bool {
    viewer.send("missed", &serde_json::json!({"count": count})).await
}

/// Sends `status` and `metrics`. While the listeners do not respond, `status` is left out.
async fn send_statistics(context: &AdminContext, viewer: &Viewer) -> bool {
    if let Ok(Ok(status)) = tokio::time::timeout(STATUS_TIME, status::read(context)).await
        && !viewer.send("status", &status).await
    {
        return false;
    }
    let text = context.rooms().metrics();
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    viewer.send_text("metrics", &samples.join("\n")).await
}

/// Maximum time until the status is known.
const STATUS_TIME: Duration = Duration::from_secs(2);
