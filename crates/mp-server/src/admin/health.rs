//! `/livez` and `/readyz`: health for load balancers and supervisors, without a token.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use mp_rooms::Shortage;

use super::context::AdminContext;

/// Returns the routes.
pub(super) fn routes() -> Router<AdminContext> {
    Router::new()
        .route("/livez", get(live))
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
}

/// Responds with 200 while the process runs.
async fn live() -> &'static str {
    "live\n"
}

/// Responds with 200 if the server accepts players, else with 503 and the reasons, one per line.
async fn ready(State(context): State<AdminContext>) -> (StatusCode, String) {
    let reasons = reasons(&context).await;
    match &reasons[..] {
        [] => (StatusCode::OK, "ready\n".to_owned()),
        reasons => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", reasons.join("\n"))),
    }
}

/// Returns the reasons for which the server accepts no players.
pub(super) async fn reasons(context: &AdminContext) -> Vec<&'static str> {
    let mut reasons = Vec::new();
    if context.listening().is_none() {
        reasons.push("not listening yet");
    }
    let state = async {
        let rooms = context.rooms();
        Ok::<_, crate::ServerEnded>((rooms.is_draining().await?, rooms.shortage().await?))
    };
    let (is_draining, shortage) = match tokio::time::timeout(RESPONSE_TIME, state).await {
        Ok(Ok(state)) => state,
        Ok(Err(_)) => (true, None),
        Err(_) => {
            reasons.push("the thread of the listeners does not respond");
            return reasons;
        }
    };
    if is_draining {
        reasons.push("draining");
    }
    match shortage {
        Some(Shortage::Memory) => reasons.push("out of memory"),
        Some(Shortage::Load) => reasons.push("overloaded"),
        Some(_) => reasons.push("short of resources"),
        None => {}
    }
    reasons
}

/// Maximum time until the task that owns the rooms responds.
const RESPONSE_TIME: Duration = Duration::from_secs(1);
