//! [`Viewer`]: a client that follows server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, KeepAliveStream, Sse};
use futures_core::Stream;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

use super::context::AdminContext;
use crate::http::Problem;

/// A client that follows events. Dropping it ends the response and frees its place.
#[derive(Debug)]
pub(super) struct Viewer {
    sender: mpsc::Sender<Event>,
    stopping: CancellationToken,
    _place: OwnedSemaphorePermit,
}

/// A response without an end.
pub(super) type EventResponse = Sse<KeepAliveStream<Events>>;

/// The events of one viewer.
#[derive(Debug)]
pub(super) struct Events(mpsc::Receiver<Event>);

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|event| event.map(Ok))
    }
}

impl Viewer {
    /// Returns a viewer and the response that it receives.
    ///
    /// # Errors
    ///
    /// 503 if there are too many viewers.
    pub(super) fn open(context: &AdminContext) -> Result<(Self, EventResponse), Problem> {
        let full = "there are too many viewers already; close another one";
        let place = Arc::clone(context.viewers())
            .try_acquire_owned()
            .map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_viewers", full))?;
        let (sender, events) = mpsc::channel(QUEUE);
        let viewer = Self { sender, stopping: context.stopping().clone(), _place: place };
        let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
        Ok((viewer, Sse::new(Events(events)).keep_alive(keep_alive)))
    }

    /// Sends an event with JSON as data, and waits while the client is slow. Returns false if the
    /// client has left, or the server stops.
    pub(super) async fn send(&self, name: &str, data: &impl Serialize) -> bool {
        match Event::default().event(name).json_data(data) {
            Ok(event) => self.send_event(event).await,
            Err(_) => {
                mp_core::bug!("the event {name} cannot be encoded");
                false
            }
        }
    }

    /// Sends an event with text without carriage returns as data, as [`send`](Self::send) does.
    pub(super) async fn send_text(&self, name: &str, text: &str) -> bool {
        self.send_event(Event::default().event(name).data(text)).await
    }

    async fn send_event(&self, event: Event) -> bool {
        tokio::select! {
            sent = self.sender.send(event) => sent.is_ok(),
            () = self.stopping.cancelled() => false,
        }
    }

    /// Waits until the client has left, or the server stops.
    pub(super) async fn left(&self) {
        tokio::select! {
            () = self.sender.closed() => {}
            () = self.stopping.cancelled() => {}
        }
    }
}

/// Events that wait for the socket of a viewer.
const QUEUE: usize = 16;
/// Time between comments, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
