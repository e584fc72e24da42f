//! Arguments of the proxy in front of a server, for `inspect` and `bots record`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

use clap::{Args, ValueEnum};
use mp_bots::scenario::{BotTransport, ServerAddress};
use mp_core::ErrorChain;
use mp_tls::{CertificateStore, TlsError};
use mp_transport_enet::proto::CompressionMode;
use mp_wire::{ProjectNames, ProxyOptions, ProxyTarget};

use crate::remote::{self, Compression};
use crate::{Failure, output};

/// Arguments of a proxy.
#[derive(Args, Clone, Debug)]
pub(crate) struct ProxyArgs {
    /// Transport of an address without one
    #[arg(long, value_enum, default_value_t = ProxyTransport::Enet)]
    transport: ProxyTransport,
    /// Folder of the game's Godot project, for the names of methods and properties
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Compression of the game over ENet
    #[arg(long, value_enum, default_value_t = Compression::None)]
    compression: Compression,
    /// Certificate for clients: the proxy decrypts, so it needs its own (DTLS, TLS)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// PEM file with the only certificates of servers that are trusted [default: the system's]
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Accept any certificate of the server
    #[arg(long, conflicts_with = "tls_ca")]
    tls_insecure: bool,
}

/// A transport of an address.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProxyTransport {
    Enet,
    Ws,
}

impl ProxyArgs {
    /// Returns the address of the server that `text` stands for.
    pub(crate) fn server(&self, text: &str) -> Result<ServerAddress, Failure> {
        let scheme = match self.transport {
            ProxyTransport::Enet => "enet",
            ProxyTransport::Ws => "ws",
        };
        let url = match text.contains("://") {
            true => text.to_owned(),
            false => format!("{scheme}://{text}"),
        };
        let server: ServerAddress = url.parse().map_err(|error: String| {
            Failure::Refused(format!("{error}; write for example {scheme}://127.0.0.1:7777"))
        })?;
        if server.transport == BotTransport::WebRtc {
            return Err(Failure::Refused(format!(
                "{url}: a proxy cannot read WebRTC, whose players encrypt end to end; pass an enet:// or ws:// address"
            )));
        }
        let is_web_socket = server.transport == BotTransport::WebSocket;
        let after_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
        if is_web_socket && after_scheme.trim_end_matches('/').contains(['/', '?']) {
            return Err(Failure::Refused(
                "the address of the server has a path; pass HOST:PORT, and let the game connect to the proxy with this path".to_owned(),
            ));
        }
        Ok(server)
    }

    /// Returns the options of a proxy that accepts clients at `listen`.
    pub(crate) fn options(
        &self,
        listen: SocketAddr,
        server: &ServerAddress,
    ) -> Result<ProxyOptions, Failure> {
        let refused = |error: TlsError| Failure::Refused(ErrorChain::new(&error).to_string());
        let (host, port) = (server.host.as_str(), server.port);
        let is_encrypted = remote::is_encrypted(server);
        let target = match server.transport {
            BotTransport::WebSocket => ProxyTarget::web_socket(host, port, is_encrypted),
            _ => ProxyTarget::enet(host, port, is_encrypted),
        };
        let trust = remote::trust(self.tls_ca.as_deref(), self.tls_insecure)?;
        let mut options =
            ProxyOptions::new(listen, target).trust(trust).compression(self.compression());
        if let Some((certificate, key)) = self.tls_cert.as_ref().zip(self.tls_key.as_ref()) {
            let store = CertificateStore::from_files(certificate, key);
            options = options.certificate(store.map_err(refused)?);
        }
        Ok(options)
    }

    /// Reads the project, and prints warnings about files that cannot be read.
    pub(crate) fn names(&self) -> Result<Option<Rc<ProjectNames>>, Failure> {
        let Some(folder) = &self.project else { return Ok(None) };
        let names = ProjectNames::load(folder);
        let names = names.map_err(|error| Failure::Refused(error.to_string()))?;
        for error in names.unreadable().iter().take(WARNINGS_MAX) {
            let _ = output::print(std::io::stderr(), format!("warning: {error}\n"));
        }
        Ok(Some(Rc::new(names)))
    }

    /// Returns the compression over ENet.
    pub(crate) fn compression(&self) -> CompressionMode {
        self.compression.into()
    }

    /// Returns the scheme of the address at which clients connect.
    pub(crate) fn listen_scheme(&self, server: &ServerAddress) -> &'static str {
        match (server.transport, self.tls_cert.is_some()) {
            (BotTransport::WebSocket, false) => "ws",
            (BotTransport::WebSocket, true) => "wss",
            (_, false) => "enet",
            (_, true) => "enets",
        }
    }
}

/// Maximum number of warnings about files of the project.
const WARNINGS_MAX: usize = 10;
