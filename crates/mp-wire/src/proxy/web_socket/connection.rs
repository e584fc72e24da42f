//! The connection of a client.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use mp_core::host::SystemClock;
use mp_core::{Channel, ConnectionOrigin, DisconnectReason, PeerId, TransferMode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::head::{self, CompleteHead, HeadBuffer};
use super::tap::{MessageTap, Tapped};
use super::{Settings, set_no_delay};
use crate::limits::{CLOSE_TIMEOUT, HANDSHAKE_TIMEOUT};
use crate::proxy::{ProxyStats, SharedObserver};
use crate::{ClientNumber, Direction, WireCloseReason, WireEvent, WirePacket};

/// A byte stream with or without TLS.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// One client of the proxy.
pub(super) struct ProxyConnection {
    settings: Rc<Settings>,
    observer: SharedObserver<'static>,
    stats: Rc<RefCell<ProxyStats>>,
    clock: SystemClock,
    /// Number of the client, once its request is complete.
    client: Cell<Option<ClientNumber>>,
    /// The first reason for which the connection ends.
    reason: RefCell<Option<WireCloseReason>>,
}

impl ProxyConnection {
    pub(super) fn new(
        settings: Rc<Settings>,
        observer: SharedObserver<'static>,
        stats: Rc<RefCell<ProxyStats>>,
        clock: SystemClock,
    ) -> Self {
        let (client, reason) = (Cell::new(None), RefCell::new(None));
        Self { settings, observer, stats, clock, client, reason }
    }

    /// Passes the bytes of a client on until both sides have closed, or the proxy is stopped.
    pub(super) async fn run(
        self,
        stream: TcpStream,
        address: SocketAddr,
        mut is_stopped: watch::Receiver<bool>,
    ) {
        tokio::select! {
            () = self.pass_on(stream, address) => {}
            _ = is_stopped.wait_for(|&is_stopped| is_stopped) => self.ends(WireCloseReason::Stopped),
        }
        let reason = self.reason.take();
        let reason = reason.unwrap_or(WireCloseReason::Client(DisconnectReason::Remote(0)));
        self.observe(|client, at| WireEvent::Closed { client, at, reason });
    }

    async fn pass_on(&self, stream: TcpStream, address: SocketAddr) {
        set_no_delay(&stream);
        let request = async {
            let mut stream: Box<dyn Stream> = match &self.settings.acceptor {
                Some(acceptor) => Box::new(acceptor.accept(stream).await?),
                None => Box::new(stream),
            };
            let head = read_head(&mut stream).await?;
            io::Result::Ok((stream, head))
        };
        let Ok(Ok((client, CompleteHead { head, rest }))) =
            timeout(HANDSHAKE_TIMEOUT, request).await
        else {
            return self.stats.borrow_mut().failed_handshakes += 1;
        };
        let is_secure = self.settings.acceptor.is_some();
        let request = head::request(&head, &self.settings.target.authority(), is_secure);
        let Ok((url, head)) = request else {
            return self.stats.borrow_mut().failed_handshakes += 1;
        };
        self.count();
        let origin = ConnectionOrigin::Url { address, url };
        self.observe(|client, at| WireEvent::Connected { client, at, origin });

        let mut server = match timeout(HANDSHAKE_TIMEOUT, self.connect()).await {
            Ok(Ok(server)) => server,
            Ok(Err(error)) => return self.ends(WireCloseReason::Unreachable(error.to_string())),
            Err(_) => {
                return self.ends(WireCloseReason::Unreachable("no answer in time".to_owned()));
            }
        };
        if server.write_all(&head).await.is_err() {
            return self.ends(WireCloseReason::Server(DisconnectReason::Remote(0)));
        }
        let (from_client, to_client) = tokio::io::split(client);
        let (from_server, to_server) = tokio::io::split(server);
        let up = self.copy(Direction::ToServer, &rest, from_client, to_server);
        let down = self.answer(from_server, to_client);
        let (mut up, mut down) = (std::pin::pin!(up), std::pin::pin!(down));
        // After the end of one direction, the other one has some time for its close frame.
        tokio::select! {
            () = &mut up => { let _ = timeout(CLOSE_TIMEOUT, down).await; }
            () = &mut down => { let _ = timeout(CLOSE_TIMEOUT, up).await; }
        }
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(self.settings.server).await?;
        set_no_delay(&stream);
        Ok(match &self.settings.connector {
            Some((connector, name)) => Box::new(connector.connect(name.clone(), stream).await?),
            None => Box::new(stream),
        })
    }

    /// Passes on the response of the server, and what follows.
    async fn answer(&self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        let Ok(CompleteHead { head, rest }) = read_head(&mut from).await else {
            return self.ends(WireCloseReason::Server(DisconnectReason::Remote(0)));
        };
        match head::status(&head) {
            Ok(101) => {}
            Ok(status) => {
                self.ends(WireCloseReason::Unreachable(format!(
                    "it answered with status {status}"
                )));
            }
            Err(_) => self.ends(WireCloseReason::Unreachable("it does not speak HTTP".to_owned())),
        }
        if to.write_all(&head).await.is_ok() {
            self.copy(Direction::ToClient, &rest, from, to).await;
        }
    }

    /// Passes on the bytes of a direction, beginning with `first`, until its end. The next bytes
    /// are read when the earlier ones are written (back-pressure).
    async fn copy(
        &self,
        direction: Direction,
        first: &[u8],
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) {
        let mut messages = Messages { tap: MessageTap::new(direction), direction, has_id: false };
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut bytes = first;
        // Without a close frame.
        let closed_by = loop {
            self.read_messages(&mut messages, bytes);
            if to.write_all(bytes).await.is_err() {
                break direction.reversed();
            }
            match from.read(&mut buffer).await {
                Ok(len @ 1..) => bytes = &buffer[..len],
                _ => break direction,
            }
        };
        self.ends(closed(closed_by, 0));
        let _ = to.shutdown().await;
    }

    fn read_messages(&self, messages: &mut Messages, mut bytes: &[u8]) {
        // The server answered without WebSocket.
        if matches!(*self.reason.borrow(), Some(WireCloseReason::Unreachable(_))) {
            return;
        }
        let direction = messages.direction;
        while let Some(tapped) = messages.tap.next(&mut bytes) {
            match tapped {
                Tapped::Message(payload) => match messages.peer_id(&payload) {
                    Some(id) => self.observe(|client, at| WireEvent::PeerId { client, at, id }),
                    None => self.observe(|client, at| {
                        let (mode, channel) = (TransferMode::Reliable, Channel(0));
                        let packet = WirePacket { client, at, direction, mode, channel, payload };
                        WireEvent::Packet(packet)
                    }),
                },
                Tapped::Close(code) => self.ends(closed(direction, code.into())),
                Tapped::Undecodable => {
                    self.observe(|client, at| WireEvent::Undecodable { client, at, direction });
                }
            }
        }
    }

    /// Records the reason of the end, unless there is one.
    fn ends(&self, reason: WireCloseReason) {
        self.reason.borrow_mut().get_or_insert(reason);
    }

    fn count(&self) {
        let mut stats = self.stats.borrow_mut();
        stats.clients += 1;
        self.client.set(Some(ClientNumber(u32::try_from(stats.clients).unwrap_or(u32::MAX))));
    }

    fn observe(&self, event: impl FnOnce(ClientNumber, mp_core::Instant) -> WireEvent) {
        if let Some(client) = self.client.get() {
            (self.observer.borrow_mut())(event(client, self.clock.now()));
        }
    }
}

/// The messages of a direction.
struct Messages {
    tap: MessageTap,
    direction: Direction,
    /// True after the server's first message.
    has_id: bool,
}

impl Messages {
    /// Returns the id that the server assigns with its first message.
    fn peer_id(&mut self, payload: &Bytes) -> Option<PeerId> {
        if self.direction == Direction::ToServer || std::mem::replace(&mut self.has_id, true) {
            return None;
        }
        PeerId::new(i32::from_le_bytes(payload[..].try_into().ok()?))
    }
}

/// Returns the reason for a connection that the sender of `direction` has closed.
fn closed(direction: Direction, code: u32) -> WireCloseReason {
    match direction {
        Direction::ToServer => WireCloseReason::Client(DisconnectReason::Remote(code)),
        Direction::ToClient => WireCloseReason::Server(DisconnectReason::Remote(code)),
    }
}

async fn read_head(from: &mut (impl AsyncRead + Unpin)) -> io::Result<CompleteHead> {
    let (mut head, mut buffer) = (HeadBuffer::default(), [0; 1_024]);
    loop {
        let len = from.read(&mut buffer).await?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match head.push(&buffer[..len]) {
            Ok(Some(complete)) => return Ok(complete),
            Ok(None) => {}
            Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Maximum number of bytes of a direction that the proxy holds.
const BUFFER_BYTES: usize = 16 << 10;
