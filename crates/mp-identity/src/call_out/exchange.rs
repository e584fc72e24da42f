//! The request to the operator's service and its response.

use serde::{Deserialize, Serialize};

use super::settings::CallOutSettings;
use crate::claims::{IdentityClaims, Object};
use crate::credentials::Credentials;
use crate::http::{HttpFailure, HttpMethod, HttpRequest, HttpResponse, bearer};
use crate::identity::Identity;
use crate::limits::RESPONSE_BYTES_MAX;
use crate::refusal::AuthRejection;

/// The body of a request.
#[derive(Serialize)]
struct RequestBody<'a> {
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
}

/// The body of a refusal.
#[derive(Clone, Debug, Default, Deserialize)]
struct RefusalBody {
    code: Option<String>,
    text: Option<String>,
}

/// Returns the request about a player.
pub(super) fn request(settings: &CallOutSettings, credentials: &Credentials) -> HttpRequest {
    let body = RequestBody {
        token: credentials.token.as_ref().map_or("", |token| token.as_str()),
        address: credentials.address.map(|address| address.to_canonical().to_string()),
        room: credentials.room.as_deref(),
    };
    let json = ["accept", "content-type"].map(|name| (name, "application/json".to_owned()));
    HttpRequest {
        method: HttpMethod::Post,
        url: settings.url.clone(),
        headers: json.into_iter().chain(settings.authorization.as_ref().map(bearer)).collect(),
        body: serde_json::to_vec(&body).unwrap_or_default(),
        timeout: settings.timeout,
        response_bytes_max: RESPONSE_BYTES_MAX,
    }
}

/// Reads the service's decision from a response.
pub(super) fn decision(
    response: &HttpResponse,
) -> Result<Result<Identity, AuthRejection>, HttpFailure> {
    if response.body.len() > RESPONSE_BYTES_MAX {
        return Err(HttpFailure::TooLarge);
    }
    match response.status {
        200 => {
            let claims = serde_json::from_slice::<Object<IdentityClaims>>(&response.body);
            let Object(claims) = claims.map_err(|_| HttpFailure::MalformedBody)?;
            let identity = Identity::try_from(claims).map_err(|_| HttpFailure::MalformedBody)?;
            Ok(Ok(identity))
        }
        401 | 403 => {
            // A refusal without a readable body is a refusal.
            let body = serde_json::from_slice::<Object<RefusalBody>>(&response.body);
            let Object(body) = body.unwrap_or_default();
            Ok(Err(AuthRejection::by_service(body.code, body.text)))
        }
        _ => Err(HttpFailure::UnexpectedStatus),
    }
}
