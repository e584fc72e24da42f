//! [`Challenges`]: proofs that this server has the names of an order, by HTTP-01 (RFC 8555, 8.3).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Responses to the requests of the authority, one per name of the current order. Clones share
/// them.
#[derive(Clone, Debug, Default)]
pub(super) struct Challenges(Arc<Mutex<HashMap<String, String>>>);

impl Challenges {
    /// Adds the response to the request for `token`.
    pub(super) fn add(&self, token: &str, response: &str) {
        self.lock().insert(token.to_owned(), response.to_owned());
    }

    /// Removes all responses.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Returns the routes of the HTTP port. They are public, and read nothing but the path.
    pub(super) fn router(&self) -> Router {
        let path = "/.well-known/acme-challenge/{token}";
        Router::new().route(path, get(respond)).with_state(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn respond(State(challenges): State<Challenges>, Path(token): Path<String>) -> Response {
    let response = challenges.lock().get(&token).cloned();
    match response {
        Some(response) => ([(CONTENT_TYPE, "application/octet-stream")], response).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn get(challenges: &Challenges, path: &str) -> (u16, Vec<u8>) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = challenges.router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes().into())
    }

    #[tokio::test]
    async fn only_tokens_of_the_current_order_are_answered() {
        let challenges = Challenges::default();
        challenges.add("abc", "abc.def");
        let path = "/.well-known/acme-challenge/abc";
        assert_eq!(get(&challenges, path).await, (200, b"abc.def".to_vec()));
        for other in ["/", "/abc", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/b"]
        {
            assert_eq!(get(&challenges, other).await.0, 404, "{other}");
        }
        challenges.clear();
        assert_eq!(get(&challenges, path).await.0, 404);
    }
}
