//! [`BrowserGuard`]: refuses requests that web pages of others make a browser send.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// The rules for requests of browsers: names of the server, and origins of pages.
///
/// A page whose name resolves to this machine (DNS rebinding) is refused by its `Host`, also on
/// loopback. A page of another origin is refused by its `Origin`, unless it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BrowserGuard {
    hosts: AllowedHosts,
    /// Origins of other pages that may send requests and read the responses.
    origins: Vec<String>,
}

/// Names by which clients may address the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AllowedHosts {
    /// All: for routes that anybody may use.
    Any,
    /// IP addresses, `localhost`, and these names.
    Listed(Vec<String>),
}

impl BrowserGuard {
    /// Returns a guard. `origins` are the pages of other servers that may send requests; `*` stands
    /// for all.
    pub(crate) fn new(hosts: AllowedHosts, origins: Vec<String>) -> Self {
        Self { hosts, origins }
    }

    /// Returns `router` behind the guard, with the headers that keep browsers from guessing types,
    /// storing responses and running scripts in them. Requests without a route have errors.
    pub(crate) fn protect(self, router: Router) -> Router {
        // A fallback that is set later is not behind the guard, and answers the preflights.
        let router = router.fallback(no_route).method_not_allowed_fallback(no_method);
        router.layer(middleware::from_fn_with_state(Arc::new(self), guard))
    }

    /// Checks a request. Returns the value of `Access-Control-Allow-Origin`, if the response needs
    /// it.
    fn check(&self, request: &Request) -> Result<Option<HeaderValue>, Problem> {
        let host = self.check_host(request)?;
        let Some(origin) = only(request.headers(), &header::ORIGIN)? else { return Ok(None) };
        let is_listed = |it: &String| it == "*" || origin.as_bytes() == it.as_bytes();
        if self.origins.iter().any(is_listed) {
            return Ok(Some(origin.clone()));
        }
        let own = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        match own {
            Some(("http" | "https", name)) if name.eq_ignore_ascii_case(host.as_str()) => Ok(None),
            _ => {
                let detail = "pages of this origin may not use this server; list it in the setting allowed_origins";
                Err(Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail))
            }
        }
    }

    /// Returns the name by which the client addresses the server.
    fn check_host(&self, request: &Request) -> Result<Authority, Problem> {
        let invalid = || Problem::bad_request("invalid_host", "the request needs one valid Host");
        let host = only(request.headers(), &header::HOST)?.ok_or_else(invalid)?;
        let host = Authority::try_from(host.as_bytes()).map_err(|_| invalid())?;
        if request.uri().authority().is_some_and(|it| *it != host) {
            return Err(invalid());
        }
        let name = host.host();
        let is_ip = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let is_allowed = match &self.hosts {
            AllowedHosts::Any => true,
            AllowedHosts::Listed(names) => {
                let is_it = |it: &String| it.eq_ignore_ascii_case(name);
                is_ip || name.eq_ignore_ascii_case("localhost") || names.iter().any(is_it)
            }
        };
        if is_allowed && !host.as_str().contains('@') {
            return Ok(host);
        }
        let detail = "this server is not called so; use its IP address, or list the name in the setting allowed_hosts";
        Err(Problem::new(StatusCode::FORBIDDEN, "host_not_allowed", detail))
    }
}

/// Returns the value of a header that a request must not have twice.
pub(super) fn only<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h HeaderValue>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(Problem::bad_request("repeated_header", format!("{name} is repeated"))),
    }
}

async fn no_route() -> Problem {
    Problem::not_found("unknown_path", "this server has no such path; see /v1/openapi.json")
}

async fn no_method() -> Problem {
    let detail = "this path has other methods; see the header Allow";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "unknown_method", detail)
}

async fn guard(State(guard): State<Arc<BrowserGuard>>, request: Request, next: Next) -> Response {
    let checked = guard.check(&request);
    let is_preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let (mut response, allowed) = match checked {
        Err(problem) => (problem.into_response(), None),
        Ok(Some(origin)) if is_preflight => (preflight(), Some(origin)),
        Ok(origin) => (next.run(request).await, origin),
    };
    let headers = response.headers_mut();
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    for (name, value) in SAFE_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Returns the response to the question of a browser, whether a page may send a request.
fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PATCH, PUT, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Headers of all responses that do not have their own.
const SAFE_HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    fn of(hosts: &[&str], origins: &[&str]) -> BrowserGuard {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        BrowserGuard::new(AllowedHosts::Listed(owned(hosts)), owned(origins))
    }

    /// Returns the response to a request with these headers.
    fn ask(guard: BrowserGuard, method: &str, headers: &[(&str, &str)]) -> Response {
        let router = guard.protect(Router::new().route("/", get(|| async { "content" })));
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(router.oneshot(request.body(Body::empty()).unwrap())).unwrap()
    }

    fn status(guard: BrowserGuard, headers: &[(&str, &str)]) -> u16 {
        ask(guard, "GET", headers).status().as_u16()
    }

    #[test]
    fn names_that_resolve_to_this_machine_are_refused_unless_they_are_listed() {
        let named = of(&["mp.example"], &[]);
        for host in ["127.0.0.1", "127.0.0.1:7780", "[::1]:7780", "localhost:1", "LOCALHOST"] {
            assert_eq!(status(of(&[], &[]), &[("host", host)]), 200, "{host}");
        }
        for host in
            ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "mp.example"]
        {
            assert_eq!(status(of(&[], &[]), &[("host", host)]), 403, "{host}");
        }
        assert_eq!(status(named.clone(), &[("host", "MP.example:80")]), 200);
        assert_eq!(status(named.clone(), &[]), 400);
        assert_eq!(status(named.clone(), &[("host", "a@mp.example")]), 403);
        assert_eq!(status(named, &[("host", "mp.example"), ("host", "evil.example")]), 400);
    }

    #[test]
    fn pages_of_other_origins_are_refused_unless_they_are_listed() {
        let host = ("host", "127.0.0.1:7780");
        let with = |origin| [host, ("origin", origin)];
        assert_eq!(status(of(&[], &[]), &with("http://127.0.0.1:7780")), 200);
        let refused =
            ["http://127.0.0.1:8000", "http://evil.example", "null", "file://127.0.0.1:7780", ""];
        for origin in refused {
            assert_eq!(status(of(&[], &["https://game.example"]), &with(origin)), 403, "{origin}");
        }
        let listed = ask(of(&[], &["https://game.example"]), "GET", &with("https://game.example"));
        assert_eq!(listed.status(), 200);
        assert_eq!(listed.headers()["access-control-allow-origin"], "https://game.example");
    }

    #[test]
    fn browsers_may_ask_first_whether_a_listed_page_may_send_a_request() {
        let asked = [
            ("host", "localhost"),
            ("origin", "https://game.example"),
            ("access-control-request-method", "POST"),
        ];
        let response = ask(of(&[], &["*"]), "OPTIONS", &asked);
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()["access-control-allow-origin"], "https://game.example");
        assert_eq!(ask(of(&[], &[]), "OPTIONS", &asked).status(), 403);
    }

    #[test]
    fn responses_forbid_scripts_and_are_not_stored() {
        let response = ask(of(&[], &[]), "GET", &[("host", "localhost")]);
        for (name, value) in SAFE_HEADERS {
            assert_eq!(response.headers()[name], value);
        }
    }

    #[test]
    fn requests_without_a_route_pass_the_guard_first() {
        let router = of(&[], &[]).protect(Router::new().route("/", get(|| async { "content" })));
        for (method, path, expected) in [("GET", "/none", 404), ("POST", "/", 405)] {
            let request = Request::builder().method(method).uri(path);
            let request = request.header("host", "localhost").body(Body::empty()).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let response = runtime.block_on(router.clone().oneshot(request)).unwrap();
            assert_eq!(response.status(), expected);
            assert_eq!(response.headers()["x-frame-options"], "DENY");
        }
    }
}
