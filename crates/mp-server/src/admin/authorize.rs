//! [`require`]: routes that need a token with a scope.

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;

use super::context::AdminContext;
use super::token::{Scope, Token};
use crate::http::{ClientAddress, Problem, bearer_token};

/// Lets only clients with a token of this scope use the routes. Requests that change something are
/// logged with the name of the token, which handlers receive as an `Extension`.
pub(super) fn require(
    routes: OpenApiRouter<AdminContext>,
    context: &AdminContext,
    scope: Scope,
) -> OpenApiRouter<AdminContext> {
    routes.route_layer(middleware::from_fn_with_state((context.clone(), scope), authorize))
}

async fn authorize(
    State((context, scope)): State<(AdminContext, Scope)>,
    client: ClientAddress,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let token = authenticate(&context, client, &request)?;
    if !token.scopes().contains(&scope) {
        let scopes = token.scopes().iter().map(|it| it.name()).collect::<Vec<_>>().join(", ");
        let detail = format!("this needs a token with the scope {scope}; yours has {scopes}");
        return Err(Problem::new(StatusCode::FORBIDDEN, "insufficient_scope", detail));
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(token.clone());
    let response = next.run(request).await;
    if method != Method::GET {
        let (token, client, status) = (token.name(), client.0, response.status().as_u16());
        tracing::info!(token, %client, %method, path, status, "admin request");
    }
    Ok(response)
}

/// Returns the token of a request. A client that sends too many wrong ones has to wait.
fn authenticate(
    context: &AdminContext,
    ClientAddress(client): ClientAddress,
    request: &Request,
) -> Result<Token, Problem> {
    if request.uri().query().is_some_and(has_token) {
        let detail = "URLs are logged and stored; send the token in the header Authorization, and make a new one";
        return Err(Problem::bad_request("token_in_url", detail));
    }
    let Some(secret) = bearer_token(request.headers())? else {
        if let Some(token) = context.open_token() {
            return Ok(token.clone());
        }
        let detail = "send a token in the header Authorization: Bearer TOKEN";
        return Err(Problem::unauthorized("missing_token", detail));
    };
    let (now, limiter) = (context.now(), context.wrong_tokens());
    limiter.check(now, client.ip()).map_err(Problem::too_many_requests)?;
    context.tokens().find(secret).ok_or_else(|| {
        limiter.charge(now, client.ip());
        tracing::warn!(%client, "a wrong token was sent to the admin API");
        Problem::unauthorized("wrong_token", "the server does not know this token")
    })
}

/// Returns whether a query has a parameter that is usually a token.
fn has_token(query: &str) -> bool {
    let names = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    names.into_iter().any(|name| ["token", "access_token"].contains(&name))
}
