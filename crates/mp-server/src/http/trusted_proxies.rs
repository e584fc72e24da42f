//! [`TrustedProxies`]: the reverse proxies in front of an HTTP port.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::{self, Next};
use axum::response::Response;
use mp_core::AddressPrefix;

use super::extract::ClientAddress;
use crate::config::ProxyConfig;

/// Reverse proxies whose header `X-Forwarded-For` has the addresses of their clients.
#[derive(Clone, Debug)]
pub(crate) struct TrustedProxies {
    count: usize,
    /// Networks of the proxies.
    networks: Arc<[AddressPrefix]>,
}

impl TrustedProxies {
    pub(crate) fn new(config: &ProxyConfig) -> Self {
        let networks = ProxyConfig::networks_or_local(&config.networks);
        Self { count: config.count.into(), networks: networks.into() }
    }

    /// Returns `router` with the addresses of clients in place of those of the proxies.
    pub(crate) fn apply(self, router: Router) -> Router {
        match self.count {
            0 => router,
            _ => router.layer(middleware::from_fn_with_state(self, replace_address)),
        }
    }

    /// Returns the address of the client of a connection from `socket`. It is `socket` itself if
    /// that is no proxy, or if the proxy has sent no valid header.
    fn client(&self, socket: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        if !self.is_proxy(socket.ip()) {
            return socket;
        }
        let values = headers.get_all("x-forwarded-for").iter();
        let elements = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
        // The bytes of a client before the addresses of proxies may be any.
        let elements = elements.map(|element| str::from_utf8(element).unwrap_or("unknown").trim());
        let elements = elements.filter(|element| !element.is_empty());
        mp_core::forwarded_address(elements, self.count).unwrap_or(socket)
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(address))
    }
}

async fn replace_address(
    State(proxies): State<TrustedProxies>,
    ClientAddress(socket): ClientAddress,
    mut request: Request,
    next: Next,
) -> Response {
    let client = proxies.client(socket, request.headers());
    request.extensions_mut().insert(ClientAddress(client));
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn client(networks: &[&str], socket: &str, headers: &[&[u8]]) -> String {
        let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        let proxies = TrustedProxies::new(&ProxyConfig { count: 1, networks });
        let values = headers.iter().map(|value| HeaderValue::from_bytes(value).unwrap());
        let headers = values.fold(HeaderMap::new(), |mut headers, value| {
            headers.append("x-forwarded-for", value);
            headers
        });
        proxies.client(SocketAddr::new(socket.parse().unwrap(), 1), &headers).ip().to_string()
    }

    #[test]
    fn client_of_a_proxy_has_the_last_address_of_the_headers() {
        let forged = b"203.0.113.9, 203.0.113.7";
        for proxy in ["127.0.0.1", "::1", "10.1.2.3", "::ffff:192.168.1.1", "fd00::1"] {
            assert_eq!(client(&[], proxy, &[forged]), "203.0.113.7", "{proxy}");
        }
        assert_eq!(client(&[], "127.0.0.1", &[b"203.0.113.9", b"203.0.113.7"]), "203.0.113.7");
        assert_eq!(client(&[], "127.0.0.1", &[b"\xff, 203.0.113.7"]), "203.0.113.7");
    }

    #[test]
    fn header_of_others_than_the_proxies_is_ignored() {
        for socket in ["203.0.113.1", "2001:db8::1", "169.254.1.1"] {
            assert_eq!(client(&[], socket, &[b"203.0.113.7"]), socket);
        }
        let networks = ["203.0.113.0/24", "2001:db8::/32"];
        assert_eq!(client(&networks, "203.0.113.1", &[b"198.51.100.7"]), "198.51.100.7");
        assert_eq!(client(&networks, "2001:db8::1", &[b"198.51.100.7"]), "198.51.100.7");
        assert_eq!(client(&networks, "127.0.0.1", &[b"198.51.100.7"]), "127.0.0.1");
    }

    #[test]
    fn proxy_without_a_valid_header_is_the_client() {
        let headers: [&[&[u8]]; 3] = [&[], &[b"unknown"], &[b"203.0.113.7", b"\xff"]];
        for headers in headers {
            assert_eq!(client(&[], "127.0.0.1", headers), "127.0.0.1");
        }
    }
}
