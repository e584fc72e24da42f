//! Responses to requests that are not for a WebSocket.

use super::http::closing_response;
use super::refusal::{RefusedRequest, RequestRefusal};

/// Path for supervisors and load balancers to check that the server runs.
const HEALTH: &str = "/healthz";

/// Returns the response to a request for `path`.
pub(crate) fn page(method: &str, path: &str) -> Result<Vec<u8>, RefusedRequest> {
    match method {
        "GET" | "HEAD" if path == HEALTH => {
            Ok(closing_response("200 OK", &[], "ok\n", method != "HEAD"))
        }
        "GET" => Err(RequestRefusal::NotFound.into()),
        "HEAD" => Err(RefusedRequest::without_body(RequestRefusal::NotFound)),
        _ => Err(RequestRefusal::MethodNotAllowed.into()),
    }
}
