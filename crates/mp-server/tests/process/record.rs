//! Recorded rooms, and `mp-server replay`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use mp_actor::prelude::*;
use mp_server::replay_recording;

use crate::players::{join, until};
use crate::server::{FREE_PORTS, Server, command};

fn builder() -> Result<Branch, BuildError> {
    Branch::builder("/root").build()
}

/// Starts a server that records its room, whose template has more `settings`.
fn server(folder: &Path, settings: &str) -> Server {
    let directory = folder.join("recordings");
    let config = format!("[template.default]\nrecord = {directory:?}\n{settings}");
    let file = folder.join("mp-server.toml");
    fs::write(&file, config).unwrap();
    Server::of(command().args(FREE_PORTS).arg("--config").arg(file).stderr(Stdio::null()))
}

/// Plays a session of three clients that send to each other, and ends the server.
fn play(server: &mut Server) {
    actix::System::new().block_on(async {
        let first = join(server.enet, builder).await;
        let second = join(server.enet, builder).await;
        let third = join(server.enet, builder).await;
        let id = third.with(|scene| scene.unique_id()).await.unwrap();
        for player in [&first, &second] {
            until(|| player.peer(id).is_some()).await;
        }
        let mut signals = second.signals().await.unwrap();
        let chat = |scene: &mut Scene| {
            scene.send_bytes(b"chat", Target::All, TransferMode::Reliable, Channel(0)).unwrap();
        };
        third.with(chat).await.unwrap();
        let received = Signal::PeerPacket { from: id, data: b"chat".as_slice().into() };
        while signals.next().await.expect("a signal") != received {}
        third.close().await;
        until(|| second.peer(id).is_none()).await;
    });
    assert_eq!(server.terminate(), Some(0));
}

fn recordings(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.join("recordings")).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

fn replay(file: &Path, args: &[&str]) -> Output {
    command().arg("replay").arg(file).args(args).output().unwrap()
}

#[test]
fn recorded_rooms_replay_to_the_byte() {
    for (settings, kind) in [("", "relay"), ("host = \"first\"\nnext_host = \"oldest\"\n", "host")]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut server = server(folder.path(), settings);
        play(&mut server);
        let [file] = &recordings(folder.path())[..] else { panic!("one recording") };
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for _ in 0..2 {
            let Output { status, stdout, stderr } = replay(file, &[]);
            let (text, errors) =
                (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
            assert!(status.success(), "{kind}: {text}{errors}");
            for part in ["the room sends the same bytes", "the recording is complete", "default"] {
                assert!(text.contains(part), "{kind}: {text}");
            }
        }
        let replayed = replay_recording(fs::File::open(file).unwrap()).unwrap();
        assert!(replayed.difference.is_none() && replayed.turns > 5, "{replayed:?}");
    }
}

#[test]
fn part_of_a_recording_is_exported_as_a_test() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(folder.path(), "");
    play(&mut server);
    let [file] = &recordings(folder.path())[..] else { panic!("one recording") };
    let test = folder.path().join("session.rs");
    let out = replay(file, &["--until", "0:00.001", "--export-test", test.to_str().unwrap()]);
    assert!(out.status.success(), "{out:?}");
    let text = fs::read_to_string(&test).unwrap();
    assert!(
        text.contains("#[test]") && text.contains("include_bytes!(\"session.mprec\")"),
        "{text}"
    );
    let part = fs::File::open(folder.path().join("session.mprec")).unwrap();
    let replayed = replay_recording(part).unwrap();
    assert!(replayed.difference.is_none() && replayed.end.is_some(), "{replayed:?}");
}

#[test]
fn damaged_recordings_are_replayed_as_far_as_they_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(folder.path(), "");
    play(&mut server);
    let [file] = &recordings(folder.path())[..] else { panic!("one recording") };
    let bytes = fs::read(file).unwrap();
    let cut = folder.path().join("cut.mprec");
    fs::write(&cut, &bytes[..bytes.len() - 3]).unwrap();
    let Output { status, stdout, stderr } = replay(&cut, &[]);
    let (text, errors) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(status.code(), Some(1));
    assert!(errors.contains("the recording is cut in block"), "{errors}");
    assert!(text.contains("the end of the recording was not reached"), "{text}");

    let mut other = bytes;
    other[8] = 9;
    fs::write(&cut, other).unwrap();
    let Output { status, stderr, .. } = replay(&cut, &[]);
    assert_eq!(status.code(), Some(2));
    let errors = String::from_utf8_lossy(&stderr);
    assert!(
        errors.contains("unknown version 9 of the recording; this program reads version 2"),
        "{errors}"
    );
}

#[test]
fn packets_of_a_recording_are_printed_as_by_the_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(folder.path(), "");
    play(&mut server);
    let [file] = &recordings(folder.path())[..] else { panic!("one recording") };
    let inspect = |file: &Path, args: &[&str]| {
        let Output { status, stdout, stderr } =
            command().arg("inspect").arg(file).args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    };
    let totals = |text: &str| text[text.find("\n\n").expect("totals")..].to_owned();
    let capture = folder.path().join("game.pcapng");
    let (code, all, errors) = inspect(file, &["--pcap", capture.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{all}{errors}");
    let lines = |arrow: &str| {
        all.lines().filter(|it| it.contains(arrow) && it.ends_with("\"chat\"")).count()
    };
    assert_eq!((lines("->"), lines("<-")), (1, 2), "{all}");
    assert!(all.contains("   connected\n") && all.contains("closed by the client"), "{all}");
    assert!(!all.contains("0.0.0.0") && totals(&all).contains("3 clients"), "{all}");
    let capture = fs::read(capture).unwrap();
    assert!(capture.windows(4).any(|it| it == b"chat"));
    let (code, calls, _) = inspect(file, &["--filter", "rpc"]);
    assert_eq!((code, calls.contains("chat")), (Some(0), false), "{calls}");
    let without_capture = all.replace(totals(&all).lines().last().unwrap(), "");
    assert_eq!(totals(&calls).trim(), totals(&without_capture).trim());

    let bytes = fs::read(file).unwrap();
    let cut = folder.path().join("cut.mprec");
    fs::write(&cut, &bytes[..bytes.len() - 3]).unwrap();
    let (code, text, errors) = inspect(&cut, &[]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("the recording is cut in block"), "{errors}");
    assert!(text.contains("connected") && text.contains("3 clients"), "{text}");
    let (code, _, errors) = inspect(&folder.path().join("mp-server.toml"), &[]);
    assert!(code == Some(2) && errors.contains("not a recording of mp"), "{errors}");
    let (code, _, errors) = inspect(file, &["--to", "127.0.0.1:1"]);
    assert!(code == Some(2) && errors.contains("for a recording, omit --to"), "{errors}");
}
