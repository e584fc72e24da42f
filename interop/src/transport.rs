//! The transports by name.

use std::net::{Ipv4Addr, SocketAddr};

use mp_core::MultiplayerPeer;
use mp_transport_enet::{EnetMultiplayerPeer, ServerOptions};

use crate::options::{Options, Transport};
use crate::world::{Failed, Played};

/// This side's end of the network, as Godot's `create_server` makes it.
pub(crate) fn open(options: &Options) -> Played<Box<dyn MultiplayerPeer>> {
    match options.transport {
        Transport::Enet => {
            let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, options.port));
            Ok(Box::new(EnetMultiplayerPeer::create_server(address, ServerOptions::default())?))
        }
        Transport::Ws => Err(Failed("ws is not supported yet".into())),
    }
}
