//! `GET /v1/events`: changes of rooms as server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, KeepAliveStream, Sse};
use futures_core::Stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc};

use super::context::AdminContext;
use super::rooms::Room;
use crate::http::{Problem, ProblemBody};
use crate::rooms::RoomChange;

/// The events of one viewer.
pub(super) struct Events(mpsc::Receiver<Event>);

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|event| event.map(Ok))
    }
}

/// Follow the rooms, as server-sent events
///
/// `room`: a room was created, opened or changed, or a player joined or left; the data is the room.
/// `closed`: the room with this `id` was closed. `missed`: the client was too slow and lost as many
/// events as `count`; list the rooms again. A comment is sent every 15 seconds.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "rooms",
    security(("token" = ["read"])),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = "default", body = ProblemBody),
    )
)]
pub(super) async fn get(
    State(context): State<AdminContext>,
) -> Result<Sse<KeepAliveStream<Events>>, Problem> {
    let full = "there are too many viewers already; close another one";
    let place = Arc::clone(context.viewers())
        .try_acquire_owned()
        .map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_viewers", full))?;
    let changes = context.rooms().changes().await?;
    let (sender, events) = mpsc::channel(QUEUE);
    tokio::spawn(forward(context, changes, sender, place));
    Ok(Sse::new(Events(events)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Sends the changes to a viewer until the viewer leaves, or the server stops.
async fn forward(
    context: AdminContext,
    mut changes: broadcast::Receiver<RoomChange>,
    viewer: mpsc::Sender<Event>,
    _place: OwnedSemaphorePermit,
) {
    loop {
        let change = tokio::select! {
            change = changes.recv() => change,
            () = viewer.closed() => return,
            () = context.stopping().cancelled() => return,
        };
        let event = match change {
            Ok(RoomChange::Changed(room)) => {
                Event::default().event("room").json_data(Room::from(room))
            }
            Ok(RoomChange::Closed(room)) => {
                Event::default().event("closed").json_data(serde_json::json!({"id": room.get()}))
            }
            Err(RecvError::Lagged(count)) => {
                Event::default().event("missed").json_data(serde_json::json!({"count": count}))
            }
            Err(RecvError::Closed) => return,
        };
        let Ok(event) = event else { return };
        tokio::select! {
            sent = viewer.send(event) => if sent.is_err() { return },
            () = context.stopping().cancelled() => return,
        }
    }
}

/// Events that wait for the socket of a viewer; further ones wait in the queue of changes.
const QUEUE: usize = 16;
/// Time between comments, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
