//! The addresses on which the room listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Addresses to listen on; `None` if a transport is off.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Addresses {
    pub(crate) enet: Option<SocketAddr>,
    pub(crate) ws: Option<SocketAddr>,
    pub(crate) webrtc: Option<SocketAddr>,
    /// The port for the signaling of WebRTC players alone.
    pub(crate) signaling: Option<SocketAddr>,
}

impl Addresses {
    /// Parses the values of the options `--enet`, `--ws`, `--webrtc` and `--webrtc-signaling`. The
    /// error is a message.
    pub(crate) fn new(
        enet: &str,
        ws: &str,
        webrtc: Option<&str>,
        signaling: &str,
    ) -> Result<Self, String> {
        let any = any_address(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok());
        let enet = listen("--enet", enet, any, "*:7777, 0.0.0.0:7777 or [::]:7777")?;
        let ws = listen("--ws", ws, any, "*:7778, 0.0.0.0:7778 or [::]:7778")?;
        let such_as = "*:9080, 0.0.0.0:9080 or [::]:9080";
        let signaling = listen("--webrtc-signaling", signaling, any, such_as)?;
        let has_signaling = ws.is_some() || signaling.is_some();
        let default = if has_signaling { WEBRTC_DEFAULT } else { "off" };
        let given = webrtc.unwrap_or(default);
        let webrtc = listen("--webrtc", given, any, "*:7779, 0.0.0.0:7779 or [::]:7779")?;
        match (webrtc, signaling) {
            (Some(webrtc), _) if !has_signaling => Err(format!(
                "--webrtc {webrtc} needs --ws or --webrtc-signaling: WebRTC players find the room through the WebSocket \
                 port or a port for signaling; give one of them an address or leave --webrtc out"
            )),
            (None, Some(signaling)) => Err(format!(
                "--webrtc-signaling {signaling} has no effect without WebRTC; omit it or give --webrtc an address"
            )),
            (None, None) if enet.is_none() && ws.is_none() => {
                Err("--enet off and --ws off leave no transport; give one of them an address"
                    .to_owned())
            }
            _ => Ok(Self { enet, ws, webrtc, signaling }),
        }
    }
}

/// Returns the unspecified address: of IPv6, which includes IPv4, or of IPv4 if the system has no
/// IPv6.
fn any_address(has_ipv6: impl FnOnce() -> bool) -> IpAddr {
    if has_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

/// Parses an address for `--webrtc-advertise`; port 0 if none is given.
pub(crate) fn advertised_address(given: &str) -> Result<SocketAddr, String> {
    let with_port = |ip: IpAddr| SocketAddr::new(ip, 0);
    let parsed = given.parse().ok().or_else(|| given.parse().ok().map(with_port));
    parsed.filter(|address| !address.ip().is_unspecified() && !address.ip().is_multicast()).ok_or_else(|| {
        format!(
            "cannot advertise {given:?}: --webrtc-advertise takes IP addresses that players can reach, each with a port \
             if it differs from --webrtc's, such as 203.0.113.7 or 203.0.113.7:7779"
        )
    })
}

fn listen(
    option: &str,
    given: &str,
    any: IpAddr,
    such_as: &str,
) -> Result<Option<SocketAddr>, String> {
    if given == "off" {
        return Ok(None);
    }
    let parsed = match given.strip_prefix("*:") {
        Some(port) => port.parse().ok().map(|port| SocketAddr::new(any, port)),
        None => given.parse().ok(),
    };
    parsed.map(Some).ok_or_else(|| {
        format!(
            "cannot listen on {given:?}: {option} takes an IP address and a port, such as {such_as}, or off"
        )
    })
}

/// Default of `--webrtc` if there is signaling.
const WEBRTC_DEFAULT: &str = "*:7779";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_address_is_ipv6_if_the_system_has_it() {
        let (v6, v4) = (any_address(|| true), any_address(|| false));
        let listens = |any| listen("--enet", "*:7777", any, "").unwrap().unwrap().to_string();
        assert_eq!((listens(v6), listens(v4)), ("[::]:7777".into(), "0.0.0.0:7777".into()));
        assert!(listen("--enet", "*:seven", v6, "*:7777").unwrap_err().contains("*:7777"));
    }

    #[test]
    fn webrtc_is_on_by_default_if_there_is_signaling() {
        for (ws, signaling, is_on) in
            [("*:1", "off", true), ("off", "*:2", true), ("off", "off", false)]
        {
            let addresses = Addresses::new("*:3", ws, None, signaling).unwrap();
            assert_eq!(addresses.webrtc.is_some(), is_on, "{ws} {signaling}");
        }
        let webrtc_alone = Addresses::new("off", "off", None, "*:2").unwrap();
        assert_eq!(webrtc_alone.signaling.unwrap().port(), 2);
    }
}
