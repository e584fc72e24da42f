//! Authentication of peers, as programs control it.

use std::time::Duration;

use mp_core::PeerId;

use super::{AuthError, SceneMultiplayer};

impl SceneMultiplayer {
    /// Sets whether peers must authenticate (default: false). Godot authenticates if an
    /// `auth_callback` is set; mp emits [`Signal::PeerAuth`](crate::Signal::PeerAuth) instead of
    /// calling one.
    ///
    /// Both peers must authenticate. If only one does, the connection is closed with
    /// [`OneSidedAuthentication`](mp_core::DisconnectReason::OneSidedAuthentication) when the first
    /// packet shows the mismatch, or else after the [timeout](Self::set_auth_timeout).
    #[doc(alias = "set_auth_callback")]
    pub fn set_authentication(&mut self, required: bool) {
        self.session.set_authentication(required);
    }

    /// Sets the time in which a peer must authenticate, in whole milliseconds (default: 3 s; zero:
    /// no limit). A peer that takes longer is disconnected. Time in which the process did not run
    /// (stopped, suspended, a turn of seconds) does not count.
    pub fn set_auth_timeout(&mut self, timeout: Duration) {
        self.session.set_auth_timeout(timeout);
    }

    /// Sends bytes to an authenticating peer, which receives them as
    /// [`Signal::PeerAuth`](crate::Signal::PeerAuth).
    ///
    /// # Errors
    ///
    /// See [`AuthError`].
    pub fn send_auth(&mut self, peer: PeerId, data: &[u8]) -> Result<(), AuthError> {
        self.session.send_auth(&mut self.sender, peer, data)
    }

    /// Completes the authentication of `peer` on the local side. The peer is admitted when it has
    /// completed, too.
    ///
    /// # Errors
    ///
    /// See [`AuthError`].
    pub fn complete_auth(&mut self, peer: PeerId) -> Result<(), AuthError> {
        self.with_session(|session, cx| session.complete_auth(cx, peer))
    }

    /// Returns whether peers must authenticate.
    #[doc(alias = "get_auth_callback")]
    pub fn authentication(&self) -> bool {
        self.session.authentication()
    }

    /// Returns the time in which a peer must authenticate; zero: no limit.
    #[doc(alias = "get_auth_timeout")]
    pub fn auth_timeout(&self) -> Duration {
        self.session.auth_timeout()
    }

    /// Returns the authenticating peers, in the order in which they connected.
    #[doc(alias = "get_authenticating_peers")]
    pub fn authenticating_peers(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.session.authenticating_peers()
    }
}
