//! Commands as text, for logs and tests.

use std::fmt;

use super::{Body, CONTROL_CHANNEL, Command, Fragment, Terms, ThrottleParameters};

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            Body::Acknowledge { sequence, sent_time } => {
                write!(f, "ACKNOWLEDGE {sequence} of time {sent_time}")?;
            }
            Body::Connect(connect) => write!(f, "CONNECT {} data {}", connect.terms, connect.data)?,
            Body::VerifyConnect(terms) => write!(f, "VERIFY_CONNECT {terms}")?,
            Body::Disconnect { data } => write!(f, "DISCONNECT data {data}")?,
            Body::Ping => f.write_str("PING")?,
            Body::SendReliable { payload } => write!(f, "SEND_RELIABLE {} bytes", payload.len())?,
            Body::SendUnreliable { sequence, payload } => {
                write!(f, "SEND_UNRELIABLE {sequence}, {} bytes", payload.len())?;
            }
            Body::SendFragment(fragment) => write!(f, "SEND_FRAGMENT {fragment}")?,
            Body::SendUnsequenced { group, payload } => {
                write!(f, "SEND_UNSEQUENCED {group}, {} bytes", payload.len())?;
            }
            Body::BandwidthLimit { incoming, outgoing } => {
                write!(f, "BANDWIDTH_LIMIT in {incoming} out {outgoing}")?;
            }
            Body::ThrottleConfigure(throttle) => write!(f, "THROTTLE_CONFIGURE {throttle}")?,
            Body::SendUnreliableFragment(fragment) => {
                write!(f, "SEND_UNRELIABLE_FRAGMENT {fragment}")?;
            }
        }
        if self.channel == CONTROL_CHANNEL {
            write!(f, " (peer, sequence {})", self.sequence)
        } else {
            write!(f, " (channel {}, sequence {})", self.channel, self.sequence)
        }
    }
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.connect_id;
        write!(
            f,
            "peer {} sessions {}/{} mtu {} window {} channels {} in {} out {} throttle {} id {a:02x}{b:02x}{c:02x}{d:02x}",
            self.peer_id,
            self.incoming_session,
            self.outgoing_session,
            self.mtu,
            self.window_size,
            self.channel_count,
            self.incoming_bandwidth,
            self.outgoing_bandwidth,
            self.throttle,
        )
    }
}

impl fmt::Display for ThrottleParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms +{} -{}", self.interval, self.acceleration, self.deceleration)
    }
}

impl fmt::Display for Fragment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} from {}: {} bytes at {} of {}",
            self.number,
            self.count,
            self.start,
            self.payload.len(),
            self.offset,
            self.total,
        )
    }
}
