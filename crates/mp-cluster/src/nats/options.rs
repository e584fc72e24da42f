//! [`NatsOptions`]: the address of NATS, and the names of a cluster on it.

use std::fmt;
use std::path::{Path, PathBuf};

use async_nats::ServerAddr;
use data_encoding::HEXLOWER_PERMISSIVE;

use crate::bus::BusMessageKind;
use crate::id::{ClusterName, ClusterNodeId};

/// The servers of NATS, and the settings of a node that connects to one of them.
#[derive(Clone)]
pub struct NatsOptions {
    servers: Vec<ServerAddr>,
    cluster: ClusterName,
    user: Option<(String, String)>,
    credentials_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    replicas: u8,
    directory_bytes_max: u64,
    snapshot_bytes_max: u64,
}

/// The error of a text that is no URL of a NATS server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is no URL of a NATS server: {why}; write nats://HOST:4222, or tls://HOST:4222")]
#[non_exhaustive]
pub struct InvalidServerUrl {
    /// The text, without a password.
    pub url: String,
    /// The reason.
    pub why: String,
}

impl NatsOptions {
    /// Returns the options for servers of one NATS cluster, of which the node connects to one. A
    /// URL is `nats://HOST:PORT` or, with TLS, `tls://HOST:PORT`; the port is 4222 by default. The
    /// first one with `USER:PASSWORD@` or `TOKEN@` before the host has the user for all servers.
    ///
    /// # Errors
    ///
    /// [`InvalidServerUrl`], also if there is none.
    pub fn new<'a>(
        urls: impl IntoIterator<Item = &'a str>,
        cluster: ClusterName,
    ) -> Result<Self, InvalidServerUrl> {
        let servers = urls.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            let why = "the list is empty".to_owned();
            return Err(InvalidServerUrl { url: String::new(), why });
        }
        Ok(Self {
            servers,
            cluster,
            user: None,
            credentials_file: None,
            ca_file: None,
            replicas: 1,
            directory_bytes_max: 64 * 1024 * 1024,
            snapshot_bytes_max: 1024 * 1024 * 1024,
        })
    }

    /// Sets the node's user and its password, instead of those of a URL. None by default.
    #[must_use]
    pub fn user_and_password(mut self, user: String, password: String) -> Self {
        self.user = Some((user, password));
        self
    }

    /// Sets the file with the user's token and key (`.creds`, of `nsc` or `nats auth`). None by
    /// default.
    #[must_use]
    pub fn credentials_file(mut self, path: PathBuf) -> Self {
        self.credentials_file = Some(path);
        self
    }

    /// Sets the file (PEM) with the certificates of the authorities that may sign the server's
    /// certificate, instead of those of the system.
    #[must_use]
    pub fn ca_file(mut self, path: PathBuf) -> Self {
        self.ca_file = Some(path);
        self
    }

    /// Sets on how many NATS servers a stream is stored that the node creates, 1 to 5. With 3, one
    /// server may fail. The default is 1.
    #[must_use]
    pub fn replicas(mut self, replicas: u8) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets the maximum size of the directory, if the node creates it; an entry takes about 200
    /// bytes. The default is 64 MiB. A full directory places no room.
    #[must_use]
    pub fn directory_bytes_max(mut self, bytes: u64) -> Self {
        self.directory_bytes_max = bytes;
        self
    }

    /// Sets the maximum size of all snapshots, if the node creates their stream. The default is
    /// 1 GiB. At the limit no snapshot is stored.
    #[must_use]
    pub fn snapshot_bytes_max(mut self, bytes: u64) -> Self {
        self.snapshot_bytes_max = bytes;
        self
    }

    /// Returns the name of the cluster.
    pub fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// Returns the servers as text, without user and password.
    pub fn servers_text(&self) -> String {
        let text = |server: &ServerAddr| format!("{}:{}", server.host(), server.port());
        self.servers.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn servers(&self) -> Vec<ServerAddr> {
        self.servers.clone()
    }

    /// Returns user and password, otherwise those of the URLs; of a token only the first.
    pub(super) fn user(&self) -> Option<(String, Option<String>)> {
        if let Some((user, password)) = self.user.clone() {
            return Some((user, Some(password)));
        }
        let server = self.servers.iter().find(|server| server.has_user_pass())?;
        let user = server.username().map(decode)?;
        Some((user, server.password().map(decode)))
    }

    pub(super) fn credentials(&self) -> Option<&Path> {
        self.credentials_file.as_deref()
    }

    pub(super) fn ca(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    pub(super) fn stream_limits(&self) -> (u8, u64, u64) {
        (self.replicas, self.directory_bytes_max, self.snapshot_bytes_max)
    }

    /// Returns the subject of a node's messages of a kind.
    pub(super) fn subject(&self, node: ClusterNodeId, kind: BusMessageKind) -> String {
        format!("mp.{}.node.{node}.{kind}", self.cluster)
    }

    /// Returns the subject of all messages of a node.
    pub(super) fn subjects(&self, node: ClusterNodeId) -> String {
        format!("mp.{}.node.{node}.*", self.cluster)
    }

    /// Returns the first part of the subjects of replies.
    pub(super) fn inbox(&self) -> String {
        format!("mp.{}.inbox", self.cluster)
    }

    /// Returns the name of the stream of snapshots.
    pub(super) fn snapshot_stream(&self) -> String {
        format!("mp_{}_snapshots", self.cluster)
    }

    /// Returns the first part of the subjects of snapshots.
    pub(super) fn snapshot_prefix(&self) -> String {
        format!("mp.{}.snapshot.", self.cluster)
    }

    /// Returns the bucket of the directory: `nats kv ls` shows it.
    pub(super) fn bucket(&self) -> String {
        format!("mp_{}", self.cluster)
    }
}

impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NatsOptions({}, {})", self.cluster, self.servers_text())
    }
}

fn parse(url: &str) -> Result<ServerAddr, InvalidServerUrl> {
    let address = url.rsplit_once('@').map_or(url, |(_, address)| address);
    let error = |why: String| InvalidServerUrl { url: address.to_owned(), why };
    let server: ServerAddr = url.parse().map_err(|e: std::io::Error| error(e.to_string()))?;
    if !matches!(server.scheme(), "nats" | "tls") {
        return Err(error(format!("{:?} is not supported", server.scheme())));
    }
    if server.host().is_empty() {
        return Err(error("it has no host".to_owned()));
    }
    Ok(server)
}

/// Returns the text of a part of a URL, in which `%40` is an `@`.
fn decode(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| byte == b'%');
        let decoded = code.and_then(|code| HEXLOWER_PERMISSIVE.decode(code).ok());
        rest = if decoded.is_some() { &after[2..] } else { after };
        bytes.push(decoded.map_or(byte, |decoded| decoded[0]));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(urls: &[&str]) -> Result<NatsOptions, InvalidServerUrl> {
        NatsOptions::new(urls.iter().copied(), "europe".parse().expect("a name"))
    }

    #[test]
    fn passwords_are_neither_in_texts_nor_in_errors() {
        let options = options(&["nats://mp:secret@a:1", "tls://b"]).unwrap();
        assert_eq!(format!("{options:?}"), "NatsOptions(europe, a:1, b:4222)");
        let error = parse("http://mp:secret@a:1").unwrap_err().to_string();
        assert!(error.contains("\"a:1\"") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn user_of_a_url_is_decoded() {
        let user = |url| options(&["nats://a", url]).unwrap().user();
        assert_eq!(user("nats://b"), None);
        assert_eq!(user("nats://s3cret@b"), Some(("s3cret".to_owned(), None)));
        let user = user("nats://m%2Fp:100%25%@b");
        assert_eq!(user, Some(("m/p".to_owned(), Some("100%%".to_owned()))));
    }

    #[test]
    fn urls_that_are_not_of_nats_are_refused() {
        for url in ["ws://a", "http://a", "nats://", "nats://a:port"] {
            assert!(options(&[url]).is_err(), "{url}");
        }
        assert!(options(&[]).is_err());
        assert!(options(&["10.0.0.5"]).is_ok());
    }

    #[test]
    fn names_of_clusters_are_parts_of_subjects() {
        for name in ["", "a.b", "a b", "a*", "é", "0123456789012345678901234567890123"] {
            assert!(name.parse::<ClusterName>().is_err(), "{name}");
        }
        let subject =
            options(&["a"]).unwrap().subject(ClusterNodeId::new(7), BusMessageKind::Frame);
        assert_eq!(subject, "mp.europe.node.0000000000000007.frame");
    }
}
