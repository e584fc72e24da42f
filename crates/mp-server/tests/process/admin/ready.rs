//! `mp-server ctl ready`.

use std::net::SocketAddr;
use std::process::Output;

use super::{AdminServer, line_with};
use crate::server::{PATIENCE, command};

fn ready(server: SocketAddr) -> Output {
    let server = server.to_string();
    command().args(["ctl", "ready", "--server", &server]).output().expect("the program starts")
}

#[test]
fn exit_code_is_the_readiness_of_the_server() {
    let mut server = AdminServer::with(|command| {
        command.env("MP_SHUTDOWN__DRAIN_TIMEOUT", PATIENCE.as_secs().to_string());
    });
    let output = ready(server.address);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"ready\n"[..]));

    let player = super::peers::join(&server);
    server.server.signal("TERM");
    line_with(&mut server.log, "waiting for players to leave");
    let output = ready(server.address);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert_eq!(error, format!("mp-server: {}: draining\n", server.address));

    drop(player);
    assert_eq!(server.server.wait().code(), Some(0));
    assert_eq!(ready(server.address).status.code(), Some(1), "no server responds");
}
