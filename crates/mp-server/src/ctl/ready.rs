//! `mp-server ctl ready`: health for containers, which have no other HTTP client.

use mp_identity::{HttpMethod, HttpRequest, HttpUrl};

use crate::Failure;
use crate::http_client::HttpClient;

/// Asks `/readyz`, and prints the reasons for which the server is not ready.
pub(super) fn run(server: &str) -> Result<(), Failure> {
    let server = server.strip_prefix("http://").unwrap_or(server).trim_end_matches('/');
    let failed = |why: &dyn std::fmt::Display| Failure::Request(format!("{server}: {why}"));
    let url = HttpUrl::new(&format!("http://{server}/readyz")).map_err(|error| failed(&error))?;
    let client = HttpClient::for_url(&url).map_err(|error| failed(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(&error))?;
    let response = runtime.block_on(client.send(HttpRequest::new(HttpMethod::Get, url)));
    let response = response.map_err(|failure| failed(&failure))?;
    let text = String::from_utf8_lossy(&response.body);
    match response.status {
        200 => super::print_text(text.into_owned()),
        503 => Err(failed(&text.trim().replace('\n', ", "))),
        status => Err(failed(&format!("status {status}; is it the admin API?"))),
    }
}
