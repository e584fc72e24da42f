//! Warnings of RPC tables that differ from those of peers.

use std::sync::{Arc, Mutex};

use mp_scene::limits::RPC_TABLE_WARNINGS_MAX;
use mp_scene::prelude::*;
use mp_scene::testing::Lan;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps the text of warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    /// Takes the warnings so far.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Chat;

impl Node for Chat {}

/// A branch with `nodes` chats, each with `say` and one method that only it has.
fn game(nodes: usize, own_methods: bool) -> BranchBuilder {
    Branch::builder("/root").setup(move |scene| {
        let root = scene.tree().root();
        for index in 0..nodes {
            let mut table = RpcTable::new().method(
                "say",
                RpcConfig::any_peer(),
                |_: &mut Chat, _cx, (_text,): (String,)| {},
            );
            if own_methods {
                table = table.stub(&format!("whisper{index}"));
            }
            scene.tree_mut().add_with_table(root, &format!("Chat{index}"), Chat, table)?;
        }
        Ok(())
    })
}

/// A client calls each chat of a server, in three sessions. Returns the warnings of all sessions.
fn warnings(nodes: usize, server_has_own: bool) -> Vec<String> {
    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || {
        let mut lan = Lan::new(game(nodes, server_has_own)).unwrap();
        let clients = [(); 3].map(|()| lan.join(game(nodes, !server_has_own)).unwrap());
        lan.settle();
        warnings.take();
        for client in clients {
            for index in 0..nodes {
                let scene = lan.scene(client);
                let chat = scene.find(&format!("Chat{index}")).unwrap();
                scene.rpc_id(PeerId::SERVER, chat, "say", ("hello",)).unwrap();
            }
        }
        lan.settle();
    });
    warnings.take()
}

#[test]
fn a_server_warns_once_of_an_rpc_table_that_lacks_a_method_and_names_the_path() {
    let of_server: Vec<_> =
        warnings(1, false).into_iter().filter(|text| !text.contains("sender=1 ")).collect();
    assert_eq!(of_server.len(), 1, "{of_server:?}");
    assert!(of_server[0].contains("path=\"Chat0\""), "{of_server:?}");
    assert!(of_server[0].contains("[\\\"say\\\"]"), "{of_server:?}");
}

#[test]
fn a_server_warning_names_the_method_that_peers_lack() {
    let texts = warnings(1, true);
    assert!(texts[0].contains("the remote peer lacks \\\"whisper0\\\""), "{texts:?}");
}

#[test]
fn warnings_of_differing_tables_are_bounded() {
    let nodes = RPC_TABLE_WARNINGS_MAX + 8;
    let texts = warnings(nodes, true);
    let of_server = texts.iter().filter(|text| !text.contains("sender=1 ")).count();
    assert_eq!(of_server, RPC_TABLE_WARNINGS_MAX);
}
