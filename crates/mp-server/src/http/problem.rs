//! [`Problem`]: an error response, `application/problem+json` (RFC 9457).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::openapi::{
    ContentBuilder, Ref, RefOr, Response as ResponseDescription, ResponseBuilder,
};
use utoipa::{IntoResponses, ToSchema};

/// An error response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    /// Stable name of the error for programs.
    code: Cow<'static, str>,
    /// Explanation for people, with the way out.
    detail: String,
    /// Time after which the request may succeed.
    retry_after: Option<Duration>,
    /// True if the response asks for a token.
    needs_token: bool,
}

/// The body of an error response.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// Status code of the response.
    pub(crate) status: u16,
    /// Meaning of the status code.
    pub(crate) title: String,
    /// Stable name of the error.
    pub(crate) code: String,
    /// Explanation for people. Its text may change.
    pub(crate) detail: String,
}

impl Problem {
    /// Returns an error. `code` is stable, `detail` explains it.
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl fmt::Display,
    ) -> Self {
        let (code, detail) = (code.into(), detail.to_string());
        Self { status, code, detail, retry_after: None, needs_token: false }
    }

    /// Returns an error 400.
    pub(crate) fn bad_request(code: &'static str, detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// Returns an error 404.
    pub(crate) fn not_found(code: &'static str, detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// Returns an error 401, which asks for a bearer token.
    pub(crate) fn unauthorized(
        code: impl Into<Cow<'static, str>>,
        detail: impl fmt::Display,
    ) -> Self {
        Self { needs_token: true, ..Self::new(StatusCode::UNAUTHORIZED, code, detail) }
    }

    /// Returns an error 429: the client may send the request again after `retry_after`.
    pub(crate) fn too_many_requests(retry_after: Duration) -> Self {
        let detail = "there are too many requests from this address; wait and try again";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
            .retry_after(retry_after)
    }

    /// Sets the time after which the request may succeed.
    pub(crate) fn retry_after(self, after: Duration) -> Self {
        Self { retry_after: Some(after), ..self }
    }

    /// Returns an error 503: the server is about to end, or has too much to do.
    pub(crate) fn unavailable(code: &'static str, detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
    }

    fn body(&self) -> ProblemBody {
        ProblemBody {
            status: self.status.as_u16(),
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            code: self.code.clone().into_owned(),
            detail: self.detail.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body()).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if self.needs_token {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = self.retry_after {
            // Rounded up, so that a client that waits succeeds.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs() + 1));
        }
        response
    }
}

/// The description of error responses, whose schema is that of [`ProblemBody`].
impl IntoResponses for Problem {
    fn responses() -> BTreeMap<String, RefOr<ResponseDescription>> {
        let body = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name())));
        let response =
            ResponseBuilder::new().description("Error").content(CONTENT_TYPE, body.build());
        BTreeMap::from([("default".to_owned(), RefOr::T(response.build()))])
    }
}

/// Content type of error responses.
const CONTENT_TYPE: &str = "application/problem+json";
