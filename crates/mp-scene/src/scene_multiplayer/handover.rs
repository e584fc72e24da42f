//! [`Handover`]: the state of a relay, which a branch of another process takes over.

use mp_core::{ConnectionId, EndpointId, EndpointInfo, Instant, PeerId};
use mp_host::CheckpointError;
use serde::{Deserialize, Serialize};

use super::SceneMultiplayer;
use super::session::HandedSession;
use crate::ids::IdPosition;
use crate::limits::HANDED_IDS_SKIPPED;

/// The peers of a relay at one time, from which a branch of another process goes on: the clients
/// keep their connections, and notice nothing but the packets that are lost in between.
///
/// Any bytes can be [decoded](Self::decode). The format is that of this version of mp.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Handover {
    session: HandedSession,
    paths: IdPosition,
}

impl Handover {
    /// Returns the bytes.
    pub fn encode(&self) -> Vec<u8> {
        // An encoding into memory has no errors.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// Returns the handover of `bytes`.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] if they are malformed.
    pub fn decode(bytes: &[u8]) -> Result<Self, CheckpointError> {
        match postcard::take_from_bytes(bytes) {
            Ok((handover, [])) => Ok(handover),
            Ok(_) => Err(CheckpointError("bytes follow its end")),
            Err(_) => Err(CheckpointError("its encoding is malformed")),
        }
    }

    /// Returns the endpoints that served the branch.
    pub fn endpoints(&self) -> impl Iterator<Item = EndpointId> {
        self.session.endpoints().map(|(endpoint, _)| endpoint)
    }

    /// Returns the properties of an endpoint that served the branch.
    pub fn endpoint_info(&self, endpoint: EndpointId) -> Option<EndpointInfo> {
        let mut endpoints = self.session.endpoints();
        endpoints.find(|(id, _)| *id == endpoint).map(|(_, info)| info)
    }

    /// Returns the connections of the peers. Peers that are kept have none.
    pub fn connections(&self) -> impl Iterator<Item = (EndpointId, ConnectionId, PeerId)> {
        self.session.connections()
    }
}

impl SceneMultiplayer {
    /// Returns the peers of a server without nodes.
    pub(crate) fn handover(&self) -> Option<Handover> {
        Some(Handover {
            session: self.session.handover(self.clock.now(), self.sender.routes())?,
            paths: self.paths.counter().position(),
        })
    }

    /// Returns whether output was not delivered.
    pub(crate) fn has_output(&self) -> bool {
        !self.sender.is_empty() || self.sender.is_blocked()
    }

    /// Goes on with the peers of another branch.
    pub(crate) fn restore_handover(
        &mut self,
        now: Instant,
        handover: &Handover,
        endpoint_of: &dyn Fn(EndpointId) -> Option<EndpointId>,
    ) -> Result<(), CheckpointError> {
        if self.session.endpoints().len() > 0 {
            return Err(CheckpointError("the branch is not new"));
        }
        let now = self.advance(now);
        self.paths.counter_mut().continue_at(handover.paths.skipping(HANDED_IDS_SKIPPED));
        let session = &handover.session;
        self.with_session(|it, cx| it.restore_handover(cx, now, session, endpoint_of))
    }
}
