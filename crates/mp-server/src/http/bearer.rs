//! [`bearer_token`]: the token of a request.

use axum::http::{HeaderMap, header};

use super::Problem;
use super::browser_guard::only;

/// Returns the token of the header `Authorization: Bearer TOKEN` (RFC 6750, 2.1); `None` if there
/// is no such header, it has another scheme, or its token is empty.
///
/// # Errors
///
/// Status 400 if the header is repeated, or is not ASCII.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = only(headers, &header::AUTHORIZATION)? else { return Ok(None) };
    let value = value.to_str().map_err(|_| {
        Problem::bad_request("invalid_token", "the header Authorization is not ASCII")
    })?;
    let Some((scheme, token)) = value.split_once(' ') else { return Ok(None) };
    let token = token.trim_matches(' ');
    Ok((scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::response::IntoResponse as _;

    use super::*;

    /// Returns the token of a request with these headers `Authorization`, or the status of the
    /// refusal.
    fn token(values: &[&[u8]]) -> Result<Option<String>, u16> {
        let value =
            |bytes: &&[u8]| (header::AUTHORIZATION, HeaderValue::from_bytes(bytes).unwrap());
        let headers: HeaderMap = values.iter().map(value).fold(HeaderMap::new(), |mut all, it| {
            all.append(it.0, it.1);
            all
        });
        let token = bearer_token(&headers).map(|token| token.map(str::to_owned));
        token.map_err(|problem| problem.into_response().status().as_u16())
    }

    #[test]
    fn token_follows_the_scheme_bearer_in_any_case() {
        for value in ["Bearer a.b", "bearer a.b", "BEARER a.b", "Bearer   a.b "] {
            assert_eq!(token(&[value.as_bytes()]), Ok(Some("a.b".to_owned())), "{value:?}");
        }
    }

    #[test]
    fn requests_without_a_bearer_token_have_none() {
        assert_eq!(token(&[]), Ok(None));
        for value in ["", "Bearer", "Bearer ", "Bearer   ", "Basic a:b", "Bearera.b", "a.b"] {
            assert_eq!(token(&[value.as_bytes()]), Ok(None), "{value:?}");
        }
    }

    #[test]
    fn repeated_and_binary_headers_are_refused() {
        assert_eq!(token(&[b"Bearer a", b"Bearer a"]), Err(400));
        assert_eq!(token(&[b"Bearer a", b"Basic b"]), Err(400));
        assert_eq!(token(&[b"Bearer \xff"]), Err(400));
    }
}
