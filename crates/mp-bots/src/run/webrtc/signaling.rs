//! Signaling session of a bot: a WebSocket client of a lobby, in a task of its own.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use mp_core::ErrorChain;
use mp_signaling::limits::MESSAGE_BYTES_MAX;
use mp_signaling::{Message, MessageKind};
use mp_tls::ClientTlsOptions;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::scenario::ServerAddress;

/// Messages of a signaling session. The session is closed when this is dropped.
#[derive(Debug)]
pub(super) struct SignalingSession {
    received: Receiver<Result<Message, String>>,
    to_send: Sender<Message>,
    next: Option<Result<Message, String>>,
}

impl SignalingSession {
    /// Starts a session that joins the lobby of `target`. Must be called within a tokio runtime.
    pub(super) fn start(target: SignalingTarget) -> Self {
        let (sender, received) = mpsc::channel(MESSAGES_MAX);
        let (to_send, outgoing) = mpsc::channel(MESSAGES_MAX);
        tokio::spawn(async move {
            if let Err(reason) = run(target, &sender, outgoing).await {
                let _ = sender.send(Err(reason)).await;
            }
        });
        Self { received, to_send, next: None }
    }

    /// Removes and returns the next message, or the reason for which the session has ended.
    pub(super) fn next(&mut self) -> Option<Result<Message, String>> {
        self.next.take().or_else(|| self.received.try_recv().ok())
    }

    /// Returns ready if there is a message, and wakes the task otherwise.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.next.is_none() {
            match ready!(self.received.poll_recv(cx)) {
                Some(message) => self.next = Some(message),
                // The end was reported.
                None => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }

    /// Queues a message. Returns false if the session has ended or its queue is full.
    pub(super) fn send(&self, message: Message) -> bool {
        self.to_send.try_send(message).is_ok()
    }
}

/// The signaling server and lobby of a bot.
#[derive(Clone, Debug)]
pub(super) struct SignalingTarget {
    address: SocketAddr,
    host: String,
    /// URL of the WebSocket session.
    url: String,
    lobby: String,
    tls: Option<ClientTlsOptions>,
}

impl SignalingTarget {
    /// Returns the target of a `webrtc://` or `webrtcs://` address, which was resolved to
    /// `address`.
    pub(super) fn new(server: &ServerAddress, address: SocketAddr, tls: &ClientTlsOptions) -> Self {
        let scheme = if server.is_over_tls() { "wss" } else { "ws" };
        let rest = server.url.split_once("://").map_or("", |(_, rest)| rest);
        let (place, lobby) = rest.split_once('#').unwrap_or((rest, ""));
        let path = if place.contains(['/', '?']) { "" } else { DEFAULT_PATH };
        Self {
            address,
            host: server.host.clone(),
            url: format!("{scheme}://{place}{path}"),
            lobby: lobby.to_owned(),
            tls: server.is_over_tls().then(|| tls.clone()),
        }
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(self.address).await?;
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let (config, name) = (tls.client_config(), tls.server_name(&self.host));
        let connector = TlsConnector::from(config.map_err(io::Error::other)?);
        let stream = connector.connect(name.map_err(io::Error::other)?, stream).await?;
        Ok(Box::new(stream))
    }

    /// Opens the session and joins the lobby.
    async fn open(&self) -> Result<Session, String> {
        let stream = self.connect().await.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => "refused".to_owned(),
            _ => ErrorChain::new(&error).to_string(),
        })?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let opened = client_async_with_config(&self.url, stream, Some(config)).await;
        let (mut session, _) = opened.map_err(|error| ErrorChain::new(&error).to_string())?;
        let join = Message::new(MessageKind::Join, WITH_SERVER, &*self.lobby);
        send(&mut session, &join).await?;
        Ok(session)
    }
}

/// A byte stream with or without TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

type Session = WebSocketStream<Box<dyn Stream>>;

/// Passes messages on until the bot has dropped its end.
///
/// # Errors
///
/// The reason for which the server ended the session, or refused it.
async fn run(
    target: SignalingTarget,
    received: &Sender<Result<Message, String>>,
    mut to_send: Receiver<Message>,
) -> Result<(), String> {
    let mut session = tokio::select! {
        session = target.open() => session?,
        () = received.closed() => return Ok(()),
    };
    loop {
        tokio::select! {
            message = to_send.recv() => match message {
                Some(message) => send(&mut session, &message).await?,
                None => break,
            },
            frame = session.next() => {
                let Some(message) = message(frame)? else { continue };
                if received.send(Ok(message)).await.is_err() {
                    break;
                }
            }
        }
    }
    let _ = timeout(CLOSE_TIMEOUT, session.close(None)).await;
    Ok(())
}

/// Returns the message of a received frame, `None` for other frames.
fn message(
    frame: Option<Result<Frame, tokio_tungstenite::tungstenite::Error>>,
) -> Result<Option<Message>, String> {
    match frame {
        Some(Ok(Frame::Text(text))) => {
            let message = Message::from_text(&text);
            message.map(Some).map_err(|error| format!("signaling sent a message that is {error}"))
        }
        Some(Ok(Frame::Close(frame))) => Err(closed(frame)),
        Some(Ok(_)) => Ok(None),
        Some(Err(error)) => Err(format!("signaling failed: {}", ErrorChain::new(&error))),
        None => Err(closed(None)),
    }
}

fn closed(frame: Option<CloseFrame>) -> String {
    match frame {
        Some(frame) if !frame.reason.is_empty() => format!("signaling closed: {}", frame.reason),
        _ => "signaling closed".to_owned(),
    }
}

async fn send(session: &mut Session, message: &Message) -> Result<(), String> {
    let sent = session.send(Frame::text(message.to_text())).await;
    sent.map_err(|error| format!("signaling failed: {}", ErrorChain::new(&error)))
}

/// Id of a JOIN to a lobby with a server, not a mesh.
const WITH_SERVER: i32 = 1;
/// Path of signaling on mp-server.
const DEFAULT_PATH: &str = "/webrtc";
/// Maximum number of messages that wait in each direction: an offer and all candidates.
const MESSAGES_MAX: usize = 64;
/// Time in which the close frame is sent.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signaling_url_has_the_path_of_the_address_or_that_of_mp_server() {
        for (address, url, lobby) in [
            ("webrtc://127.0.0.1:7778", "ws://127.0.0.1:7778/webrtc", ""),
            ("webrtc://[::1]:1#arena", "ws://[::1]:1/webrtc", "arena"),
            ("webrtcs://game.example/#a", "wss://game.example/", "a"),
            ("webrtc://game.example/s?a=1", "ws://game.example/s?a=1", ""),
        ] {
            let server: ServerAddress = address.parse().unwrap();
            let resolved = ([127, 0, 0, 1], server.port).into();
            let target = SignalingTarget::new(&server, resolved, &ClientTlsOptions::new());
            assert_eq!((&*target.url, &*target.lobby), (url, lobby), "{address}");
            assert_eq!(target.tls.is_some(), url.starts_with("wss"), "{address}");
        }
    }
}
