//! Configuration: defaults, then the file `mp-server.toml`, then environment variables, then
//! flags; later ones take precedence.
//!
//! The table `sections::SECTIONS` lists all settings. A [`Config`] is immutable; a
//! [`Reload`] contains the next one.

mod address;
mod build;
mod env;
mod error;
mod file;
pub(crate) mod flags;
mod key;
mod print;
mod reload;
mod rules;
mod section;
mod sections;
mod types;
pub(crate) mod units;
mod value;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mp_core::link_shaper::LinkConditions;

pub use address::{BindAddress, ParseBindAddressError};
pub use error::ConfigErrors;
pub(crate) use flags::Flags;
pub use reload::{ConfigChange, Reload};
pub(crate) use rules::is_turn;
pub use types::{
    AcmeConfig, AdminConfig, AgonesConfig, ClusterConfig, EnetConfig, IdentityConfig,
    IdentityMethod, LimitsConfig, ListenConfig, LogConfig, LogFormat, MatchConfig, ProxyConfig,
    QueryConfig, QueueConfig, RateConfig, RoomConfig, RoomSelection, Secret, ShutdownConfig,
    SnapshotsConfig, TemplateConfig, TlsConfig, Transport, WebRtcConfig, WebSocketConfig,
};

use error::{Problem, Problems};
use values::{Origin, Values};

/// The configuration of a server.
///
/// All values are in their ranges and fit each other.
///
/// ```
/// use mp_server::config::Config;
///
/// let config = Config::parse("[template.arena]\nmax_players = 8\n")?;
/// assert_eq!(config.templates["arena"].max_players, 8);
/// let errors = Config::parse("[limits]\nmax_clinets = 8\n").unwrap_err();
/// assert!(errors.to_string().contains("did you mean `max_clients`?"));
/// # Ok::<(), mp_server::config::ConfigErrors>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Listeners, at least one.
    pub listen: Vec<ListenConfig>,
    /// Files of the certificate; `None`: no TLS, or a certificate from an authority.
    pub tls: Option<TlsConfig>,
    /// Certificates from an authority, instead of files; `None`: no.
    pub acme: Option<Arc<AcmeConfig>>,
    /// Settings of ENet.
    pub enet: EnetConfig,
    /// Settings of WebSocket.
    pub websocket: WebSocketConfig,
    /// Settings of WebRTC.
    pub webrtc: WebRtcConfig,
    /// Authentication of players.
    pub identity: IdentityConfig,
    /// Limits of the server and of each player.
    pub limits: LimitsConfig,
    /// Templates of rooms by name. There is always one called `default`.
    pub templates: BTreeMap<String, TemplateConfig>,
    /// Rooms that are created at the start.
    pub rooms: Vec<RoomConfig>,
    /// Settings of the states of rooms on disk.
    pub snapshots: SnapshotsConfig,
    /// Settings of the HTTP port for matchmaking.
    pub matchmaking: MatchConfig,
    /// Settings of the HTTP port for operators.
    pub admin: AdminConfig,
    /// Settings of server queries.
    pub query: QueryConfig,
    /// Settings of the sidecar of Agones.
    pub agones: AgonesConfig,
    /// Settings of the servers that have their rooms in common.
    pub cluster: ClusterConfig,
    /// True to let operators simulate bad links to players, and use the admin API on loopback
    /// without a token (default: false).
    pub dev: bool,
    /// Simulated conditions of each direction of all connections (default: none).
    pub link: LinkConditions,
    /// Settings of the log.
    pub log: LogConfig,
    /// Settings of the server's end.
    pub shutdown: ShutdownConfig,
    values: Values,
    sources: Sources,
}

/// Layers over the defaults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// Name of the file for messages; `None`: no file.
    pub(crate) file: Option<PathBuf>,
    /// Names and values of environment variables.
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) flags: Flags,
}

impl Sources {
    fn file_name(&self) -> String {
        let file = self.file.as_deref().unwrap_or_else(|| Path::new(FILE_NAME));
        file.display().to_string()
    }
}

impl Config {
    /// Returns the configuration of a file with the content `text`, without environment variables
    /// and flags.
    ///
    /// # Errors
    ///
    /// Returns all errors of `text` that can be found.
    pub fn parse(text: &str) -> Result<Self, ConfigErrors> {
        Self::layered(text, Sources { file: Some(FILE_NAME.into()), ..Sources::default() })
    }

    /// Returns the configuration of a file with the content `text` and the other layers.
    pub(crate) fn layered(text: &str, sources: Sources) -> Result<Self, ConfigErrors> {
        let mut values = Values::new();
        let mut problems = Problems::default();
        file::apply(&mut values, text, &mut problems);
        env::apply(&mut values, &sources.variables, &mut problems);
        flags::apply(&mut values, &sources.flags, &mut problems);
        let name = sources.file_name();
        // The rules between several settings need settings that are valid.
        if problems.is_empty() {
            let config = build::build(values, sources, &mut problems);
            if problems.is_empty() {
                return Ok(config);
            }
        }
        Err(problems.into_errors(&name, text))
    }

    /// Returns the configuration of the file, the environment variables and the flags.
    pub(crate) fn load(sources: Sources) -> Result<Self, ConfigErrors> {
        let text = match &sources.file {
            Some(path) => read(path)?,
            None => String::new(),
        };
        Self::layered(&text, sources)
    }

    /// Returns the text of a file with all settings, their defaults and their descriptions.
    pub fn default_text() -> String {
        print::default_text()
    }

    /// Returns all values with their origins, as the text of a file. Secrets are replaced by
    /// asterisks.
    pub fn effective_text(&self) -> String {
        print::effective_text(&self.values, &self.sources.file_name())
    }

    /// Returns the path, the value and the origin of each setting; `None` if it is not set.
    /// Asterisks stand for secrets.
    pub(crate) fn effective(&self) -> Vec<(String, Option<String>, String)> {
        print::effective(&self.values, &self.sources.file_name())
    }

    /// Returns the file that was read.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.sources.file.as_deref()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::parse("").unwrap_or_else(|errors| panic!("invalid defaults: {errors}"))
    }
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<String, ConfigErrors> {
    file::read(path).map_err(|error| {
        let name = path.display().to_string();
        let mut problems = Problems::default();
        problems.push(Problem::new(&Origin::Default, format!("cannot read {name}: {error}")));
        problems.into_errors(&name, "")
    })
}

/// Returns the file to read: `given`, or `mp-server.toml` in the working directory if it exists.
pub(crate) fn find(given: Option<PathBuf>) -> Option<PathBuf> {
    given.or_else(|| Some(PathBuf::from(FILE_NAME)).filter(|path| path.exists()))
}

/// Name of the file in the working directory.
pub(crate) const FILE_NAME: &str = "mp-server.toml";
