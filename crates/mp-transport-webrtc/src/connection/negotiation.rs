//! Session descriptions and candidates of a connection.

use mp_core::Instant;
use str0m::change::{SdpAnswer, SdpOffer};

use super::{Connection, ConnectionContext, ConnectionState, DescriptionError, SdpError};
use crate::candidate::{self, CandidateError, IceCandidate};
use crate::limits::{CONNECT_TIMEOUT, REMOTE_CANDIDATES_MAX, SDP_BYTES_MAX};
use crate::sdp::{self, RemoteDescription, SdpKind};

impl Connection {
    /// Creates an offer.
    pub(crate) fn create_offer(
        &mut self,
        cx: &mut ConnectionContext<'_>,
    ) -> Result<(), DescriptionError> {
        if self.state != ConnectionState::New {
            return Err(DescriptionError::NotNew);
        }
        let mut changes = self.rtc.sdp_api();
        let ids: Vec<_> = cx
            .table
            .configs(self.lifetime)
            .map(|config| changes.add_channel_with_config(config))
            .collect();
        let (offer, pending) = changes.apply().ok_or(DescriptionError::NotNew)?;
        self.assign_channels(ids);
        self.pending_offer = Some(pending);
        self.begin(cx.now);
        let offer = offer.to_sdp_string();
        self.mid = sdp::mid(&offer).to_owned();
        cx.output.description(self.peer, SdpKind::Offer, offer);
        self.announce_candidates(cx);
        self.drive(cx);
        Ok(())
    }

    /// Applies the remote peer's description, and answers an offer.
    pub(crate) fn set_remote_description(
        &mut self,
        cx: &mut ConnectionContext<'_>,
        (kind, sdp): (SdpKind, &str),
    ) -> Result<(), DescriptionError> {
        if sdp.len() > SDP_BYTES_MAX {
            return Err(DescriptionError::TooLong);
        }
        let (sdp, candidates) = sdp::split_candidates(sdp);
        let applied = self.apply_remote_description(cx, kind, &sdp);
        if applied.is_ok() {
            self.amplification.record_signaling(sdp.len());
            // One that cannot be used is ignored: others may work.
            for name in candidates {
                let _ = self.add_candidate(name);
            }
        }
        // A description that cannot be used may have ended str0m's connection.
        self.drive(cx);
        applied
    }

    fn apply_remote_description(
        &mut self,
        cx: &mut ConnectionContext<'_>,
        kind: SdpKind,
        sdp: &str,
    ) -> Result<(), DescriptionError> {
        let malformed = |error| DescriptionError::Malformed(SdpError::new(error));
        let unusable = |error| DescriptionError::Unusable(SdpError::new(error));
        match kind {
            SdpKind::Offer => {
                if self.state != ConnectionState::New {
                    return Err(DescriptionError::NotNew);
                }
                let offer = SdpOffer::from_sdp_string(sdp).map_err(malformed)?;
                let answer = self.rtc.sdp_api().accept_offer(offer);
                let answer = answer.map_err(unusable)?;
                let configs = cx.table.configs(self.lifetime);
                let ids = configs.map(|config| self.rtc.direct_api().create_data_channel(config));
                let ids = ids.collect();
                self.assign_channels(ids);
                self.remote = Some(RemoteDescription::read(sdp));
                self.begin(cx.now);
                let answer = answer.to_sdp_string();
                self.mid = sdp::mid(&answer).to_owned();
                cx.output.description(self.peer, SdpKind::Answer, answer);
                self.announce_candidates(cx);
            }
            SdpKind::Answer => {
                let pending = self.pending_offer.take().ok_or(DescriptionError::NoOffer)?;
                let answer = SdpAnswer::from_sdp_string(sdp).map_err(malformed)?;
                let accepted = self.rtc.sdp_api().accept_answer(pending, answer);
                accepted.map_err(unusable)?;
                self.remote = Some(RemoteDescription::read(sdp));
            }
        }
        Ok(())
    }

    /// Adds a candidate of the remote peer.
    pub(crate) fn add_ice_candidate(
        &mut self,
        cx: &mut ConnectionContext<'_>,
        candidate: &IceCandidate,
    ) -> Result<(), CandidateError> {
        self.add_candidate(&candidate.name)?;
        self.drive(cx);
        Ok(())
    }

    fn add_candidate(&mut self, name: &str) -> Result<(), CandidateError> {
        let parsed = candidate::parse(name, self.policy)?;
        // mp's session descriptions contain the candidates that signaling passes too.
        if self.remote_candidates.contains(&parsed.addr()) {
            return Ok(());
        }
        if self.remote_candidates.len() >= REMOTE_CANDIDATES_MAX {
            return Err(CandidateError::TooMany);
        }
        self.remote_candidates.push(parsed.addr());
        self.amplification.record_signaling(name.len());
        self.rtc.add_remote_candidate(parsed);
        Ok(())
    }

    fn begin(&mut self, now: Instant) {
        self.state = ConnectionState::Connecting;
        self.deadline = Some(now + CONNECT_TIMEOUT);
    }

    fn assign_channels(&mut self, ids: Vec<str0m::channel::ChannelId>) {
        for (channel, id) in self.channels.iter_mut().zip(ids) {
            channel.assign(id);
        }
    }

    fn announce_candidates(&self, cx: &mut ConnectionContext<'_>) {
        for &address in &self.local_candidates {
            let candidate = str0m::Candidate::host(address, "udp");
            let candidate = candidate.expect("addresses were checked when the peer was created");
            cx.output.candidate(self.peer, &self.mid, candidate.to_sdp_string());
        }
    }
}
