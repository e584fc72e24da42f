//! Checks of comments, names and messages. They run on the parts of the workspace in [`DONE`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::text::{Literal, Text, words};
use super::{files, read, root, sources};

/// Folders and pages that are checked.
const DONE: &[&str] = &[
    "bench",
    "crates",
    "docs/BENCHMARKS.md",
    "docs/SIMULATION.md",
    "examples",
    "interop",
    "xtask",
];

/// Maximum length of a comment line, including its indentation.
const COLUMNS_MAX: usize = 100;

/// Words that do not open a doc comment: its first line is a noun phrase or a third-person verb.
const BARE_OPENERS: &[&str] = &[
    "How",
    "Of",
    "That which",
    "Those",
    "What",
    "When",
    "Where",
    "Whether",
    "Which",
    "Who",
    "Whom",
];

/// Retired words and phrases with their replacements, in comments, pages and messages. The words
/// are also retired from identifiers.
const RETIRED: &[(&str, &str)] = &[
    ("breaks its word", "violates the contract"),
    ("brought", "received, caused"),
    ("everybody", "all peers"),
    ("farewell", "close, disconnect"),
    ("figure", "metric, counter"),
    ("figures", "statistics, counters, metrics"),
    ("give up", "time out, abandon"),
    ("given up", "timed out, abandoned"),
    ("gives up", "times out, abandons"),
    ("goodbye", "disconnect, close"),
    ("goodbyes", "disconnects"),
    ("hear", "receive"),
    ("heard", "received"),
    ("hears", "receives"),
    ("in vain", "timed out"),
    ("nobody", "no peer, no program"),
    ("nonsense", "malformed packet"),
    ("other side", "remote peer"),
    ("polite", "graceful"),
    ("politely", "gracefully"),
    ("sent away", "disconnected"),
    ("somebody", "a peer, a caller"),
    ("stranger", "unauthenticated peer, unknown peer"),
    ("strangers", "unauthenticated peers, unknown peers"),
    ("take in", "receive, accept"),
    ("taken in", "received, accepted"),
    ("takes in", "receives, accepts"),
    ("tell", "notify, send, report"),
    ("tells", "notifies, sends, reports"),
    ("told", "notified, receives"),
    ("turned away", "rejected"),
    ("whoever", "the caller, the peer"),
];

/// Public types that several crates define under the same name, with the reason.
const PARALLEL_TYPES: &[(&str, &str)] = &[
    ("BindError", "error of binding TCP and UDP sockets"),
    ("ClientOptions", "options of each transport's clients"),
    ("CreateError", "error of each transport's constructors"),
    ("DatagramRefusal", "reasons for which ENet and WebRTC refuse a datagram"),
    ("HostEvent", "events of an ENet host, and of mp-host's branches"),
    ("Identity", "certificate and key of a server, and who a player is"),
    ("MessageRefusal", "reasons for which WebRTC and WebSocket peers refuse a message"),
    ("PeerSignal", "signals of a peer in Godot 4, and in Godot 3.2 (`godot3`)"),
    ("ReplicationMode", "setting of mp-scene's properties, and of those in a scene file"),
    ("RpcConfig", "settings of mp-scene's methods, and of those in a script"),
    ("RpcMode", "setting of mp-scene's methods, and of those in a script"),
    ("ServerOptions", "options of each transport's servers"),
    ("Signal", "messages of WebRTC signaling, and Godot's signals"),
    ("TokioUdpSocket", "implementations for Linux and for other systems"),
    ("TransferMode", "setting of packets, and of methods in a script"),
    ("VisibilityUpdateMode", "setting of mp-scene's synchronizers, and of those in a scene file"),
];

/// Returns the checked files with one of these extensions.
fn done(extensions: &[&str]) -> Vec<PathBuf> {
    let listed = DONE.iter().map(|path| root().join(path));
    let all = listed.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    let has_extension = |path: &PathBuf| {
        path.extension().is_some_and(|it| extensions.iter().any(|extension| it == *extension))
    };
    // These files contain the retired words, and sources of other crates as text patches.
    let is_exempt = |path: &PathBuf| {
        ["xtask/tests/tidy/prose.rs", "xtask/src/worlds/faults.rs"]
            .iter()
            .any(|exempt| path.ends_with(exempt))
    };
    all.filter(has_extension).filter(|path| !is_exempt(path)).collect()
}

fn place(path: &Path, line: usize) -> String {
    format!("{}:{line}", path.strip_prefix(root()).unwrap_or(path).display())
}

fn check(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// Returns the retired words and phrases in a text with their replacements.
fn retired_in(text: &str) -> Vec<(&'static str, &'static str)> {
    let text = format!(" {} ", words(text).join(" "));
    let contains = |word: &str| text.contains(&format!(" {word} "));
    RETIRED.iter().copied().filter(|(word, _)| contains(word)).collect()
}

#[test]
fn comments_fit_100_columns() {
    let mut complaints = Vec::new();
    for path in done(&["rs", "gd", "toml"]) {
        for (number, line) in read(&path).lines().enumerate() {
            let comment = line.trim_start();
            let Some(body) = ["//!", "///", "//", "##", "#"]
                .iter()
                .find_map(|prefix| comment.strip_prefix(prefix))
            else {
                continue;
            };
            // Rows of tables, code blocks and addresses cannot be wrapped.
            let is_exempt = body.starts_with(" |") || body.starts_with("     ");
            let is_address = body.split_whitespace().any(|word| word.contains("://"));
            let length = line.chars().count();
            if length > COLUMNS_MAX && !is_exempt && !is_address && !comment.starts_with("#[") {
                complaints.push(format!("{}: {length} columns", place(&path, number + 1)));
            }
        }
    }
    check(&complaints);
}

#[test]
fn doc_comments_open_with_a_noun_phrase_or_a_verb() {
    let mut complaints = Vec::new();
    for path in done(&["rs", "gd"]) {
        let mut was_doc = false;
        for (number, line) in read(&path).lines().enumerate() {
            let line = line.trim_start();
            let doc = ["//!", "///", "##"].iter().find_map(|prefix| line.strip_prefix(prefix));
            if let Some(doc) = doc.filter(|_| !was_doc) {
                let doc = doc.trim_start();
                let opener = BARE_OPENERS.iter().find(|opener| {
                    doc.strip_prefix(**opener).is_some_and(|rest| rest.starts_with([' ', ',']))
                });
                if let Some(opener) = opener {
                    complaints.push(format!(
                        "{}: a doc comment opens with {opener:?}; say what the item is or does",
                        place(&path, number + 1)
                    ));
                }
            }
            was_doc = doc.is_some();
        }
    }
    check(&complaints);
}

#[test]
fn comments_and_messages_avoid_retired_words() {
    let mut complaints = Vec::new();
    for path in done(&["rs", "gd", "md", "c", "toml"]) {
        let text = Text::parse(&path, &read(&path));
        let prose = text.comments.iter().chain(text.literals.iter().filter(|it| it.is_message()));
        for Literal { line, text } in prose {
            for (word, instead) in retired_in(text) {
                complaints.push(format!("{}: {word:?}: write {instead}", place(&path, *line)));
            }
        }
    }
    check(&complaints);
}

#[test]
fn identifiers_avoid_retired_words() {
    let mut complaints = Vec::new();
    for path in done(&["rs"]) {
        for Literal { line, text } in Text::parse(&path, &read(&path)).definitions {
            for (word, instead) in retired_in(&text) {
                let place = place(&path, line);
                complaints.push(format!("{place}: {word:?} in `{text}`: name it {instead}"));
            }
        }
    }
    check(&complaints);
}

#[test]
fn each_public_type_of_a_finished_crate_has_a_name_of_its_own() {
    let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // Types of tests are not public.
    let is_test = |path: &PathBuf| path.components().any(|part| part.as_os_str() == "tests");
    for path in sources(&root()).iter().filter(|path| !is_test(path)) {
        for (number, line) in read(path).lines().enumerate() {
            let mut line = line.split_whitespace();
            let is_type = line.next() == Some("pub")
                && matches!(line.next(), Some("struct" | "enum" | "trait" | "type" | "union"));
            if is_type && let Some(name) = line.next() {
                let name: String = name.chars().take_while(|it| it.is_alphanumeric()).collect();
                // Code that a macro writes (`pub struct #name`) has none here.
                if !name.is_empty() {
                    types.entry(name).or_default().push(place(path, number + 1));
                }
            }
        }
    }
    let is_done = |place: &String| DONE.iter().any(|done| place.starts_with(done));
    let mut complaints = Vec::new();
    for (name, places) in types.iter().filter(|(_, places)| places.len() > 1) {
        let is_parallel = PARALLEL_TYPES.iter().any(|(parallel, _)| parallel == name);
        if places.iter().any(is_done) && !is_parallel {
            complaints.push(format!("{name} is defined several times: {}", places.join(", ")));
        }
    }
    for (name, reason) in PARALLEL_TYPES {
        if types.get(*name).is_none_or(|places| places.len() < 2) {
            complaints.push(format!("{name} ({reason}) is not defined several times any more"));
        }
    }
    check(&complaints);
}

#[test]
fn retired_words_are_found_in_every_form() {
    let found = |text: &str| retired_in(text).into_iter().map(|(word, _)| word).collect::<Vec<_>>();
    assert_eq!(found("Peers are told, and heard."), ["heard", "told"]);
    assert_eq!(found("last_told"), ["told"]);
    assert_eq!(found("PeerFigures"), ["figures"]);
    assert_eq!(found("what a peer Takes in"), ["takes in"]);
    assert_eq!(found("It configures, foretold and unheard."), [""; 0]);
}
