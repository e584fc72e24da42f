//! Responses to requests that are not for a WebSocket.

use super::http::closing_response;

/// Path for supervisors and load balancers to check that the server runs.
const HEALTH: &str = "/healthz";

/// Returns the response to a request for `path`.
pub(crate) fn page(method: &str, path: &str) -> Vec<u8> {
    let with_body = method != "HEAD";
    match method {
        "GET" | "HEAD" if path == HEALTH => closing_response("200 OK", &[], "ok\n", with_body),
        "GET" | "HEAD" => {
            let body = "Not found: this is a game server for WebSocket connections.\n";
            closing_response("404 Not Found", &[], body, with_body)
        }
        _ => closing_response(
            "405 Method Not Allowed",
            &["Allow: GET, HEAD"],
            "Only GET and HEAD.\n",
            true,
        ),
    }
}
