//! [`serve()`]: starts a branch as a server on one or several transports.

mod error;
mod listen;
mod server;
mod transports;

pub use error::ServeError;
pub use listen::ListenAddress;
pub use server::Server;

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use mp_actor::BranchStarter;
use mp_scene::{Branch, BuildError};

use self::transports::Transports;

/// Prepares a server. `build` builds its branch, on the branch's thread, so its nodes and hooks
/// need not be `Send`. Name the transports, then await it:
///
/// ```
/// use mp::prelude::*;
///
/// fn game() -> Result<Branch, BuildError> {
///     Branch::builder("/root").setup(|scene| scene.add("Main", Group)).build()
/// }
///
/// # mp::actor::block_on(async {
/// # #[cfg(feature = "enet")] {
/// let server = mp::serve(game).enet(0).await?; // 7777, say; 0 lets the operating system choose
/// println!("ENet at {:?}", server.enet_addr());
/// server.close().await;
/// # }
/// # Ok::<(), mp::ServeError>(())
/// # }).unwrap();
/// ```
///
/// Players on all transports share the branch. Within [`actor::block_on`](mp_actor::block_on) or
/// `#[mp::main]` the branch runs on a thread of its own.
pub fn serve<F>(build: F) -> Serve<F>
where
    F: FnOnce() -> Result<Branch, BuildError> + Send + 'static,
{
    Serve { branch: mp_actor::branch(build), transports: Transports::default() }
}

/// A server that is about to start. See [`serve()`].
#[must_use = "the server starts when it is awaited"]
pub struct Serve<F> {
    branch: BranchStarter<F>,
    transports: Transports,
}

/// A server that starts.
pub type Starting = Pin<Box<dyn Future<Output = Result<Server, ServeError>> + Send>>;

impl<F> Serve<F>
where
    F: FnOnce() -> Result<Branch, BuildError> + Send + 'static,
{
    /// Serves ENet at a UDP port of all addresses of this machine, or at one address, with default
    /// options.
    #[cfg(feature = "enet")]
    pub fn enet(self, at: impl Into<ListenAddress>) -> Self {
        self.enet_with(at, mp_transport_enet::ServerOptions::default())
    }

    /// Serves ENet with these options. A second call replaces the first.
    #[cfg(feature = "enet")]
    pub fn enet_with(
        mut self,
        at: impl Into<ListenAddress>,
        options: mp_transport_enet::ServerOptions,
    ) -> Self {
        self.transports.enet = Some((at.into(), options));
        self
    }

    /// Serves WebSocket at a TCP port of all addresses of this machine, or at one address, with
    /// default options.
    #[cfg(feature = "ws")]
    pub fn websocket(self, at: impl Into<ListenAddress>) -> Self {
        self.websocket_with(at, mp_transport_ws::ServerOptions::default())
    }

    /// Serves WebSocket with these options. A second call replaces the first.
    #[cfg(feature = "ws")]
    pub fn websocket_with(
        mut self,
        at: impl Into<ListenAddress>,
        options: mp_transport_ws::ServerOptions,
    ) -> Self {
        self.transports.websocket = Some((at.into(), options));
        self
    }

    /// Serves WebRTC at a UDP port of all addresses of this machine, or at one address, as an
    /// ICE-lite peer. Clients find it by signaling at the path `/webrtc` of the
    /// [WebSocket](Self::websocket) transport, which is required.
    #[cfg(feature = "webrtc")]
    pub fn webrtc(self, at: impl Into<ListenAddress>) -> Self {
        self.webrtc_with(at, transports::webrtc_options())
    }

    /// Serves WebRTC with these options. A second call replaces the first. See
    /// [`webrtc`](Self::webrtc).
    #[cfg(feature = "webrtc")]
    pub fn webrtc_with(
        mut self,
        at: impl Into<ListenAddress>,
        options: mp_transport_webrtc::WebRtcOptions,
    ) -> Self {
        self.transports.webrtc = Some((at.into(), options));
        self
    }

    /// Configures the branch, such as its thread or the authentication of peers:
    /// `serve(game).branch(|branch| branch.authenticate(…))`.
    pub fn branch(mut self, configure: impl FnOnce(BranchStarter<F>) -> BranchStarter<F>) -> Self {
        self.branch = configure(self.branch);
        self
    }

    async fn start(self) -> Result<Server, ServeError> {
        self.transports.check()?;
        let mut server = Server::new(self.branch.start().await.map_err(ServeError::Branch)?);
        match self.transports.open(&mut server).await {
            Ok(()) => Ok(server),
            Err(error) => {
                server.close().await;
                Err(error)
            }
        }
    }
}

impl<F> IntoFuture for Serve<F>
where
    F: FnOnce() -> Result<Branch, BuildError> + Send + 'static,
{
    type Output = Result<Server, ServeError>;
    type IntoFuture = Starting;

    fn into_future(self) -> Starting {
        Box::pin(self.start())
    }
}
