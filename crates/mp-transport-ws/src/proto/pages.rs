//! What a request gets that does not ask for a WebSocket. Pages of any kind have their place here.

use super::http::answer;

/// The path that tells a supervisor or a load balancer that the server runs.
const HEALTH: &str = "/healthz";

/// The answer to a request for `path`.
pub(crate) fn page(method: &str, path: &str) -> Vec<u8> {
    let with_body = method != "HEAD";
    match method {
        "GET" | "HEAD" if path == HEALTH => answer("200 OK", &[], "ok\n", with_body),
        "GET" | "HEAD" => {
            let body = "There is nothing here: this is a server for games, over WebSocket.\n";
            answer("404 Not Found", &[], body, with_body)
        }
        _ => answer("405 Method Not Allowed", &["Allow: GET, HEAD"], "Only GET and HEAD.\n", true),
    }
}
