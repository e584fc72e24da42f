//! Makes the pages of `crates/mp/guide` modules: rustdoc shows them and runs their snippets.

// Links of the pages name these items.
#[allow(unused_imports, reason = "doc tests do not resolve links")]
mod linked {
    pub(super) use crate as mp;
    #[cfg(feature = "actor")]
    pub(super) use crate::actor::{BranchStarter, SharedEndpoint};
    pub(super) use crate::core::{ConnectionRouter, MultiplayerPeer};
    pub(super) use crate::prelude::*;
    pub(super) use crate::scene::{Refusal, RpcError};
    #[cfg(feature = "testing")]
    pub(super) use crate::testing::TestSession;
    #[cfg(feature = "tls")]
    pub(super) use crate::tls::{CertificateStore, DevelopmentCertificate};
}
/// Returns the definitions of links to all pages, by their file names.
macro_rules! links {
    () => {
        "[actors.md]: crate::guide::actors
[authentication.md]: crate::guide::authentication
[bots.md]: crate::guide::bots
[branches.md]: crate::guide::branches
[coming-from-bevy.md]: crate::guide::coming_from_bevy
[coming-from-godot.md]: crate::guide::coming_from_godot
[deployment.md]: crate::guide::deployment
[guarantees.md]: crate::guide::guarantees
[hosted-games.md]: crate::guide::hosted_games
[logging.md]: crate::guide::logging
[nodes.md]: crate::guide::nodes
[peers.md]: crate::guide::peers
[quick-start.md]: crate::guide::quick_start
[replication.md]: crate::guide::replication
[resume.md]: crate::guide::resume
[rpc.md]: crate::guide::rpc
[testing.md]: crate::guide::testing
[transports.md]: crate::guide::transports
[troubleshooting.md]: crate::guide::troubleshooting
[tunnel.md]: crate::guide::tunnel
[visibility.md]: crate::guide::visibility
[webrtc.md]: crate::guide::webrtc

"
    };
}

/// Includes a page of `crates/mp/guide`.
///
/// Links to other pages (`[RPC][rpc.md]`) lead to files in the repository, by definitions at the
/// end of the page. Here the definitions of `links!` precede them, and the first definition of a
/// link is the valid one.
macro_rules! page {
    ($name:ident, $file:literal) => {
        #[doc = links!()]
        #[doc = include_str!(concat!("../guide/", $file))]
        pub mod $name {}
    };
}

#[doc = links!()]
#[doc = include_str!("../guide/README.md")]
pub mod guide {
    #[allow(unused_imports, reason = "doc tests do not resolve links")]
    use super::linked::*;

    page!(quick_start, "quick-start.md");
    page!(nodes, "nodes.md");
    page!(peers, "peers.md");
    page!(rpc, "rpc.md");
    page!(replication, "replication.md");
    page!(visibility, "visibility.md");
    page!(branches, "branches.md");
    page!(authentication, "authentication.md");
    page!(transports, "transports.md");
    page!(webrtc, "webrtc.md");
    page!(actors, "actors.md");
    page!(testing, "testing.md");
    page!(logging, "logging.md");
    page!(deployment, "deployment.md");
    page!(bots, "bots.md");
    page!(hosted_games, "hosted-games.md");
    page!(tunnel, "tunnel.md");
    page!(resume, "resume.md");
    page!(guarantees, "guarantees.md");
    page!(troubleshooting, "troubleshooting.md");
    page!(coming_from_godot, "coming-from-godot.md");
    page!(coming_from_bevy, "coming-from-bevy.md");
}
