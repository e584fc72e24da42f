use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Duration;

use super::http::Request;
use super::{ALL, AdminServer, PEERS, READ, ROOMS, SERVER};

/// Time after which the server closes a connection without a request.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// Paths and methods of the API with the scopes that they need.
fn operations(server: &AdminServer) -> Vec<(String, String, String)> {
    let openapi = Request::new("GET", "/v1/openapi.json").send(server.address).json();
    let mut operations = Vec::new();
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if let Some(scope) = operation["security"][0]["token"][0].as_str() {
                let path = path.replace("{room}", "none").replace("{peer}", "2");
                operations.push((method.to_uppercase(), path, scope.to_owned()));
            }
        }
    }
    operations
}

#[test]
fn every_operation_needs_a_token_with_its_scope() {
    let server = AdminServer::start();
    let operations = operations(&server);
    assert!(operations.len() >= 16, "{operations:?}");
    let tokens = [("read", READ), ("rooms", ROOMS), ("peers", PEERS), ("server", SERVER)];
    for (method, path, scope) in &operations {
        let without = Request::new(method, path).send(server.address);
        assert_eq!(without.outcome(), (401, "missing_token".to_owned()), "{method} {path}");
        assert_eq!(without.header("www-authenticate"), Some("Bearer"));
        for (of, token) in tokens {
            if path == "/v1/events" && of == scope {
                continue; // the response has no end
            }
            // No operation accepts the body, so that none ends the server.
            let request = Request::new(method, path).token(token).json(&"invalid".into());
            let outcome = request.send(server.address).outcome();
            let is_refused = outcome == (403, "insufficient_scope".to_owned());
            assert_eq!(is_refused, of != scope, "{method} {path} with {of}: {outcome:?}");
        }
    }
    // Further wrong tokens are refused for another reason.
    for (method, path, _) in operations.iter().take(5) {
        let wrong = server.ask("wrong-0123456789abcdef", method, path).outcome();
        assert_eq!(wrong, (401, "wrong_token".to_owned()), "{method} {path}");
    }
}

#[test]
fn client_that_sends_many_wrong_tokens_has_to_wait() {
    let server = AdminServer::start();
    let guess = || server.ask("wrong-0123456789abcdef", "GET", "/v1/status");
    let refused = (0..20).map(|_| guess()).find(|response| response.status == 429).unwrap();
    assert_eq!(refused.outcome().1, "too_many_requests");
    assert_eq!(refused.header("retry-after"), Some("7"));
    assert_eq!(server.ask(ALL, "GET", "/v1/status").status, 429);
    assert_eq!(Request::new("GET", "/livez").send(server.address).status, 200);
}

#[test]
fn tokens_in_urls_are_refused() {
    let server = AdminServer::start();
    for query in ["token", "access_token"] {
        let path = format!("/v1/status?{query}={ALL}");
        assert_eq!(
            Request::new("GET", &path).send(server.address).outcome(),
            (400, "token_in_url".to_owned())
        );
    }
}

#[test]
fn names_and_pages_of_others_are_refused_on_loopback() {
    let server = AdminServer::with(|command| {
        command.env("MP_ADMIN__ALLOWED_HOSTS", "mp.example");
        command.env("MP_ADMIN__ALLOWED_ORIGINS", "https://ops.example");
    });
    let ask = |name, value| {
        let request = Request::new("GET", "/v1/status").token(ALL).header(name, value);
        request.send(server.address).outcome()
    };
    assert_eq!(ask("host", "evil.example"), (403, "host_not_allowed".to_owned()));
    assert_eq!(ask("host", "mp.example").0, 200);
    assert_eq!(ask("origin", "https://evil.example"), (403, "origin_not_allowed".to_owned()));
    assert_eq!(ask("origin", "https://ops.example").0, 200);
    assert_eq!(ask("origin", &format!("http://{}", server.address)).0, 200);
}

#[test]
fn large_bodies_and_headers_are_refused() {
    let server = AdminServer::start();
    let body = serde_json::json!({"name": "x".repeat(100_000)});
    let large = Request::new("POST", "/v1/rooms").token(ROOMS).json(&body).send(server.address);
    assert_eq!(large.outcome(), (413, "body_too_large".to_owned()));
    let long = Request::new("GET", "/v1/status").header("x-long", &"x".repeat(100_000));
    assert_eq!(long.send(server.address).status, 431);
}

#[test]
fn idle_connections_do_not_delay_the_others() {
    let server = AdminServer::start();
    let idle: Vec<_> =
        (0..200).map(|_| std::net::TcpStream::connect(server.address).unwrap()).collect();
    for mut stream in &idle {
        stream.write_all(b"GET /v1/status HTTP/1.1\r\n").unwrap();
    }
    assert_eq!(server.ask(READ, "GET", "/v1/status").status, 200);
    // Beyond the limit, connections are closed.
    let further: Vec<_> =
        (0..100).map(|_| std::net::TcpStream::connect(server.address).unwrap()).collect();
    let mut last = further.last().unwrap();
    last.set_read_timeout(Some(HEAD_TIME / 3)).unwrap();
    match last.read(&mut [0]) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    drop((idle, further));
    let asked = || Request::new("GET", "/livez").try_send(server.address);
    while asked().is_none_or(|response| response.status != 200) {}
}

#[test]
fn changes_are_logged_with_the_name_of_the_token() {
    let mut server = AdminServer::start();
    server.ask(ROOMS, "DELETE", "/v1/rooms/none");
    let line = server.line_with("admin request");
    for part in ["token=\"rooms\"", "method=DELETE", "/v1/rooms/none", "status=404", "client="] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

#[test]
fn token_knows_its_name_and_scopes() {
    let server = AdminServer::start();
    let expected = serde_json::json!({"name": "read", "scopes": ["read"]});
    assert_eq!(server.ask(READ, "GET", "/v1/token").json(), expected);
}

#[test]
fn server_for_development_needs_no_token_on_loopback_and_checks_host_and_origin() {
    let server = AdminServer::in_development();
    let ask = |name: &str, value: &str| {
        let request = Request::new("POST", "/v1/reload").header(name, value);
        request.send(server.address).outcome()
    };
    let own = format!("http://{}", server.address);
    assert_eq!(ask("origin", &own).0, 200);
    assert_eq!(ask("origin", "https://evil.example"), (403, "origin_not_allowed".to_owned()));
    assert_eq!(ask("host", "evil.example"), (403, "host_not_allowed".to_owned()));
    assert_eq!(ask("authorization", "Bearer wrong"), (401, "wrong_token".to_owned()));
    let page = Request::new("GET", "/").send(server.address).body;
    assert!(page.contains("<html data-dev "), "{page}");

    let public = AdminServer::with(|command| {
        command.arg("--dev").env("MP_ADMIN__ADDRESS", "0.0.0.0:0");
    });
    let refused = Request::new("GET", "/v1/status").send(public.address).outcome();
    assert_eq!(refused, (401, "missing_token".to_owned()));
}

#[test]
fn reload_replaces_the_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mp-server.toml");
    let of = |secret: &str| format!("[admin]\ntokens = [\"ops:read:{secret}\"]\n");
    std::fs::write(&file, of(READ)).unwrap();
    let mut server = AdminServer::without_tokens(|command| {
        command.env("MP_CONFIG", &file);
    });
    assert_eq!(server.ask(READ, "GET", "/v1/status").status, 200);
    std::fs::write(&file, of(ALL)).unwrap();
    server.server.signal("HUP");
    server.line_with("configuration reloaded");
    while server.ask(ALL, "GET", "/v1/status").status != 200 {
        std::thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(server.ask(READ, "GET", "/v1/status").outcome().1, "wrong_token");
}
