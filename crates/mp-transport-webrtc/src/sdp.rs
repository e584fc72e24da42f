//! The fields of session descriptions that this crate parses itself. str0m parses the others.
#![expect(clippy::exhaustive_enums, reason = "WebRTC has these two kinds here")]

use std::borrow::Cow;
use std::fmt;

use crate::limits::UNANNOUNCED_MESSAGE_BYTES_MAX;

/// The kind of a session description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SdpKind {
    /// `offer`.
    Offer,
    /// `answer`.
    Answer,
}

impl SdpKind {
    /// Returns the kind that Godot calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "offer" => Some(Self::Offer),
            "answer" => Some(Self::Answer),
            _ => None,
        }
    }
}

impl fmt::Display for SdpKind {
    /// Writes Godot's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
        })
    }
}

/// Properties of a remote peer, from its session description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RemoteDescription {
    /// `true` if the remote peer is a browser or unknown, see [`is_known_native`].
    pub(crate) is_web: bool,
    /// Maximum length in bytes of a message that it receives.
    pub(crate) message_bytes_max: usize,
}

impl RemoteDescription {
    /// Parses `sdp`. Malformed lines are ignored here; str0m rejects them.
    pub(crate) fn read(sdp: &str) -> Self {
        let mut message_bytes_max = UNANNOUNCED_MESSAGE_BYTES_MAX;
        let mut is_web = true;
        for line in sdp.lines() {
            if let Some(size) = line.strip_prefix("a=max-message-size:") {
                message_bytes_max = match size.trim().parse() {
                    // RFC 8841: unlimited.
                    Ok(0) => usize::MAX,
                    Ok(size) => size,
                    Err(_) => UNANNOUNCED_MESSAGE_BYTES_MAX,
                };
            } else if let Some(origin) = line.strip_prefix("o=") {
                is_web = !is_known_native(origin);
            }
        }
        Self { is_web, message_bytes_max }
    }
}

/// Returns `sdp` without its candidates, and the candidates. Candidates need the checks of those
/// that signaling passes separately.
pub(crate) fn split_candidates(sdp: &str) -> (Cow<'_, str>, Vec<&str>) {
    let candidate = |line: &'_ str| line.trim_start().starts_with("a=candidate:");
    if !sdp.lines().any(candidate) {
        return (Cow::Borrowed(sdp), Vec::new());
    }
    let others = sdp.split_inclusive('\n').filter(|line| !candidate(line)).collect();
    let candidates = sdp.lines().filter(|line| candidate(line));
    (Cow::Owned(others), candidates.map(|line| &line.trim_start()[2..]).collect())
}

/// Returns the `mid` of the first section of `sdp`, or `0`.
pub(crate) fn mid(sdp: &str) -> &str {
    sdp.lines().find_map(|line| line.strip_prefix("a=mid:")).unwrap_or("0")
}

/// Returns whether the origin line is that of an implementation without Godot's ring buffer:
/// libdatachannel (`rtc`, the engine's native plug-in), or str0m (mp).
///
/// Browsers write `-` or a name of their own. An unknown peer is paced like a web peer, which is
/// slower but loses nothing.
fn is_known_native(origin: &str) -> bool {
    let username = origin.split(' ').next().unwrap_or_default();
    username == "rtc" || username.starts_with("str0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chromium_is_a_web_peer() {
        let sdp =
            "v=0\r\no=- 6804378274728279161 2 IN IP4 127.0.0.1\r\na=max-message-size:262144\r\n";
        let expected = RemoteDescription { is_web: true, message_bytes_max: 262_144 };
        assert_eq!(RemoteDescription::read(sdp), expected);
    }

    #[test]
    fn candidates_are_split_from_the_other_lines() {
        let sdp = "v=0\r\na=candidate:1 1 UDP 1 192.0.2.1 9 typ host\r\na=mid:0\r\n";
        let (others, candidates) = split_candidates(sdp);
        assert_eq!(others, "v=0\r\na=mid:0\r\n");
        assert_eq!(candidates, ["candidate:1 1 UDP 1 192.0.2.1 9 typ host"]);
    }

    #[test]
    fn the_native_plug_in_is_not() {
        let sdp = "v=0\r\no=rtc 3874234321 0 IN IP4 127.0.0.1\r\na=max-message-size:262144\r\n";
        assert!(!RemoteDescription::read(sdp).is_web);
    }

    #[test]
    fn sizes_that_are_missing_or_malformed_are_those_of_rfc_8841() {
        for (line, size) in [
            ("", 65_536),
            ("a=max-message-size:none", 65_536),
            ("a=max-message-size:-5", 65_536),
            ("a=max-message-size:0", usize::MAX),
            ("a=max-message-size:1200", 1_200),
        ] {
            assert_eq!(RemoteDescription::read(line).message_bytes_max, size, "{line}");
        }
    }
}
