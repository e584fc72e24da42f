//! Messages for the signals and candidates of a WebRTC peer (feature `webrtc`).

use mp_transport_webrtc::{IceCandidate, SdpKind, Signal};

use crate::message::{Message, MessageKind};

impl Message {
    /// Returns the message that passes a session description or candidate to the peer of `signal`.
    /// `None` for signals that are not sent.
    pub fn from_signal(signal: Signal) -> Option<Self> {
        match signal {
            Signal::SessionDescriptionCreated { peer, kind, sdp } => {
                let kind = match kind {
                    SdpKind::Offer => MessageKind::Offer,
                    SdpKind::Answer => MessageKind::Answer,
                };
                Some(Self::new(kind, peer.get(), sdp))
            }
            Signal::IceCandidateCreated { peer, candidate } => {
                let IceCandidate { media, index, name } = candidate;
                let data = format!("\n{media}\n{index}\n{name}");
                Some(Self::new(MessageKind::Candidate, peer.get(), data))
            }
            _ => None,
        }
    }

    /// Returns the candidate of a [`MessageKind::Candidate`]. `None` for other kinds, and if `data`
    /// has not the form of Godot's demo.
    pub fn candidate(&self) -> Option<IceCandidate> {
        if self.kind != MessageKind::Candidate {
            return None;
        }
        let (media, index, name) = self.candidate_parts()?;
        Some(IceCandidate { media: media.to_owned(), index, name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use mp_core::PeerId;

    use super::*;

    #[test]
    fn candidates_are_read_as_they_are_written() {
        let candidate = IceCandidate {
            media: "0".to_owned(),
            index: 3,
            name: "candidate:1 1 UDP 1 192.0.2.1 9 typ host".to_owned(),
        };
        let peer = PeerId::SERVER;
        let signal = Signal::IceCandidateCreated { peer, candidate: candidate.clone() };
        let message = Message::from_signal(signal).unwrap();
        assert_eq!((message.kind, message.id), (MessageKind::Candidate, 1));
        assert_eq!(message.candidate(), Some(candidate));
        let other = Message { kind: MessageKind::Offer, ..message.clone() };
        assert_eq!(other.candidate(), None);
        assert_eq!(Message { data: "\n0\nx\ny".to_owned(), ..message }.candidate(), None);
        assert_eq!(Message::from_signal(Signal::PeerRemoved { peer }), None);
    }
}
