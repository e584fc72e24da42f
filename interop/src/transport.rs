//! The transports by name.

use std::net::{Ipv4Addr, SocketAddr};

use mp_core::MultiplayerPeer;
use mp_transport_enet::proto::Patience;
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer, ServerOptions};

use crate::options::{Options, Transport};
use crate::world::{Failed, Played};

/// A server's end of the network, as Godot's `create_server` makes it; it gives silent peers up by `patience`.
pub(crate) fn server(options: &Options, patience: Patience) -> Played<Box<dyn MultiplayerPeer>> {
    match options.transport {
        Transport::Enet => {
            let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, options.port));
            let mut settings = ServerOptions::default();
            settings.host.patience = patience;
            settings.host.compression = options.compression.mode();
            Ok(Box::new(EnetMultiplayerPeer::create_server(address, settings)?))
        }
        Transport::Ws => Err(Failed("ws is not supported yet".into())),
    }
}

/// A client's, as `create_client` makes it.
pub(crate) fn client(options: &Options, patience: Patience) -> Played<Box<dyn MultiplayerPeer>> {
    match options.transport {
        Transport::Enet => {
            let address = SocketAddr::from((options.host, options.port));
            let mut settings = ClientOptions::default();
            settings.host.patience = patience;
            settings.host.compression = options.compression.mode();
            Ok(Box::new(EnetMultiplayerPeer::create_client(address, settings)?))
        }
        Transport::Ws => Err(Failed("ws is not supported yet".into())),
    }
}
