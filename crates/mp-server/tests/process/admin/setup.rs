use std::io::BufRead as _;

use serde_json::json;

use super::http::{Request, Response};
use super::{AdminServer, line_with};
use crate::server::command;

/// Returns the code of the link that a server has printed.
pub(super) fn code(server: &mut AdminServer) -> String {
    let mut line = String::new();
    while !line.contains("/setup#") {
        line.clear();
        assert!(server.server.stdout().read_line(&mut line).unwrap() > 0, "no link is printed");
    }
    assert!(line.contains(&format!("http://{}/setup#", server.address)), "{line}");
    line.trim().split('#').nth(1).unwrap().to_owned()
}

fn set_up(server: &AdminServer, code: &str) -> Response {
    Request::new("POST", "/v1/setup").json(&json!({"code": code})).send(server.address)
}

#[test]
fn link_of_the_first_start_makes_one_token_with_all_scopes() {
    let mut server = AdminServer::without_tokens(|_| {});
    let code = code(&mut server);
    let wrong = set_up(&server, "0123456789abcdef").outcome();
    assert_eq!(wrong, (403, "wrong_code".to_owned()));
    let token = set_up(&server, &code).json()["token"].as_str().unwrap().to_owned();
    assert_eq!(server.ask(&token, "GET", "/v1/status").status, 200);
    assert_eq!(server.ask(&token, "DELETE", "/v1/rooms/none").outcome().1, "unknown_room");
    assert_eq!(set_up(&server, &code).outcome(), (403, "wrong_code".to_owned()));
}

#[test]
fn page_runs_only_its_own_scripts_and_needs_no_token() {
    let server = AdminServer::without_tokens(|_| {});
    let index = "<script type=\"module\" src=\"/page/main.js\">";
    for (path, part) in [("/", index), ("/setup", index), ("/page/main.js", "import")] {
        let page = Request::new("GET", path).send(server.address);
        assert_eq!(page.status, 200);
        assert!(page.body.contains(part), "{}", page.body);
        assert!(page.header("content-security-policy").unwrap().contains("default-src 'self'"));
        let etag = page.header("etag").unwrap();
        let again = Request::new("GET", path).header("if-none-match", etag).send(server.address);
        assert_eq!((again.status, again.body.as_str()), (304, ""));
    }
    let rebound = Request::new("GET", "/").header("host", "evil.example").send(server.address);
    assert_eq!(rebound.outcome(), (403, "host_not_allowed".to_owned()));
}

#[test]
fn made_token_is_valid_after_a_restart_if_there_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let start = || {
        AdminServer::without_tokens(|command| {
            command.env("MP_ADMIN__TOKEN_FILE", &file);
        })
    };
    let mut first = start();
    let code = code(&mut first);
    let token = set_up(&first, &code).json()["token"].as_str().unwrap().to_owned();
    assert_eq!(first.server.terminate(), Some(0));
    assert_eq!(start().ask(&token, "GET", "/v1/status").status, 200);
}

#[test]
fn public_address_without_a_token_is_refused_with_the_way_out() {
    let output = command().env("MP_ADMIN__ADDRESS", "0.0.0.0:0").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    for part in
        ["0.0.0.0:0", "without a token", "mp-server ctl new-token", "admin.tokens", "127.0.0.1"]
    {
        assert!(error.contains(part), "{part} is not in\n{error}");
    }
}

#[test]
fn configured_port_in_use_is_an_error_and_the_default_port_is_not() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = command().env("MP_ADMIN__ADDRESS", &address).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&address) && error.contains("admin.address"), "{error}");

    // Either this test or another program has the default port.
    let _taken = std::net::TcpListener::bind("127.0.0.1:7780");
    let mut command = command();
    command.args(crate::server::FREE_PORTS).env_remove("MP_ADMIN__ADDRESS");
    let mut server = crate::server::Server::of(command.stderr(std::process::Stdio::piped()));
    let mut log = std::io::BufReader::new(server.stderr());
    assert!(line_with(&mut log, "without the admin API").contains("127.0.0.1:7780"));
    assert_eq!(server.terminate(), Some(0));
}
