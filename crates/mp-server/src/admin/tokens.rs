//! [`AdminTokens`]: the tokens of a running server, and the link that makes the first one.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mp_core::Instant;

use super::token::{Scope, Token, is_same, random_text};
use crate::config::AdminConfig;

/// The tokens of a running server.
#[derive(Debug)]
pub(crate) struct AdminTokens {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Tokens of the settings and of the file.
    configured: Vec<Token>,
    /// Token that was made with the link.
    made: Option<Token>,
    file: Option<PathBuf>,
    setup: Option<Setup>,
}

/// The code of the link that makes the first token.
#[derive(Debug)]
struct Setup {
    code: String,
    expires: Instant,
}

/// The reason why no token was made.
#[derive(Debug)]
pub(crate) enum SetupError {
    /// The code is not that of the link, was used, or has expired.
    WrongCode,
    /// The name of the token is not valid.
    InvalidName,
    /// The token cannot be written to the file. The link still works.
    NotSaved(io::Error),
}

impl AdminTokens {
    /// Reads the tokens of the settings. The error is a message.
    pub(crate) fn new(config: &AdminConfig) -> Result<Self, String> {
        let configured = read(config)?;
        let file = config.token_file.clone();
        let state = State { configured, file, ..State::default() };
        Ok(Self { state: Mutex::new(state) })
    }

    /// Returns the number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.with(|state| state.configured.len() + usize::from(state.made.is_some()))
    }

    /// Returns whether there is no token.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Replaces the tokens of the settings. If they cannot be read, the previous ones stay.
    pub(crate) fn reload(&self, config: &AdminConfig) {
        match read(config) {
            Ok(configured) => self.with(|state| state.configured = configured),
            Err(error) => tracing::error!(error, "cannot reload the tokens of the admin API"),
        }
    }

    /// Returns the token with this secret.
    pub(crate) fn find(&self, secret: &str) -> Option<Token> {
        self.with(|state| {
            let made = state.made.as_slice();
            let found = Token::find(&state.configured, secret);
            // Both lists are always searched, so that the time does not show which has the token.
            let found_made = Token::find(made, secret);
            found.or(found_made).cloned()
        })
    }

    /// Returns a code that makes one token until `now` + [`SETUP_TIME`]; `None` if there is a token
    /// already, or the system has no randomness.
    pub(crate) fn start_setup(&self, now: Instant) -> Option<String> {
        if !self.is_empty() {
            return None;
        }
        let code = random_text()?;
        let expires = now + SETUP_TIME;
        self.with(|state| state.setup = Some(Setup { code: code.clone(), expires }));
        Some(code)
    }

    /// Makes the first token, with all scopes. Returns its secret.
    ///
    /// # Errors
    ///
    /// See [`SetupError`].
    pub(crate) fn finish_setup(
        &self,
        now: Instant,
        code: &str,
        name: &str,
    ) -> Result<String, SetupError> {
        self.with(|state| {
            let is_valid = |it: &Setup| now < it.expires && is_same(&it.code, code);
            if !state.setup.as_ref().is_some_and(is_valid) {
                return Err(SetupError::WrongCode);
            }
            let made = Token::generate(name, &Scope::ALL).ok_or(SetupError::InvalidName)?;
            let (token, secret) = made;
            if let Some(file) = &state.file {
                append(file, &token).map_err(SetupError::NotSaved)?;
            }
            state.setup = None;
            state.made = Some(token);
            Ok(secret)
        })
    }

    fn with<R>(&self, call: impl FnOnce(&mut State) -> R) -> R {
        call(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns the tokens of the settings and of their file. The error is a message.
fn read(config: &AdminConfig) -> Result<Vec<Token>, String> {
    let configured = config.tokens.iter().filter_map(|token| token.reveal().parse().ok());
    let mut tokens: Vec<Token> = configured.collect();
    let Some(file) = &config.token_file else { return Ok(tokens) };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(tokens),
        Err(error) => return Err(format!("cannot read {}: {error}", file.display())),
    };
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let token = line.parse().map_err(|_| {
            let file = file.display();
            format!("{file}:{number} is not a token of the form NAME:SCOPES:sha256:DIGITS; `mp-server ctl new-token` makes one")
        })?;
        tokens.push(token);
    }
    Ok(tokens)
}

/// Adds a token to the file, which only its owner can read.
fn append(file: &Path, token: &Token) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    file.write_all(format!("{token}\n").as_bytes())?;
    file.sync_all()
}

/// Time after which the link no longer works.
pub(crate) const SETUP_TIME: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn tokens(text: &str) -> AdminTokens {
        AdminTokens::new(&Config::parse(text).unwrap().admin).unwrap()
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn link_makes_one_token() {
        let tokens = tokens("");
        let code = tokens.start_setup(at(0)).unwrap();
        assert!(matches!(tokens.finish_setup(at(1), "", "ops"), Err(SetupError::WrongCode)));
        assert!(matches!(tokens.finish_setup(at(1), &code, "o p s"), Err(SetupError::InvalidName)));
        let secret = tokens.finish_setup(at(599), &code, "ops").unwrap();
        assert_eq!(tokens.find(&secret).unwrap().scopes(), Scope::ALL);
        assert!(matches!(tokens.finish_setup(at(599), &code, "b"), Err(SetupError::WrongCode)));
        assert_eq!(tokens.start_setup(at(599)), None);
    }

    #[test]
    fn link_expires_after_ten_minutes() {
        let tokens = tokens("");
        let code = tokens.start_setup(at(0)).unwrap();
        assert!(matches!(tokens.finish_setup(at(600), &code, "ops"), Err(SetupError::WrongCode)));
        assert!(tokens.is_empty());
    }

    #[test]
    fn there_is_no_link_if_there_is_a_token() {
        let tokens = tokens("[admin]\ntokens = [\"ops:read:0123456789abcdef\"]\n");
        assert_eq!(tokens.start_setup(at(0)), None);
        assert!(matches!(tokens.finish_setup(at(0), "", "ops"), Err(SetupError::WrongCode)));
    }

    #[test]
    fn made_token_is_in_the_file_after_a_restart_without_its_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        let text = format!("[admin]\ntoken_file = {:?}\n", file.to_str().unwrap());
        let first = tokens(&text);
        let code = first.start_setup(at(0)).unwrap();
        let secret = first.finish_setup(at(0), &code, "ops").unwrap();
        assert!(!std::fs::read_to_string(&file).unwrap().contains(&secret));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let second = tokens(&text);
        assert_eq!(second.find(&secret).unwrap().name(), "ops");
        assert_eq!(second.start_setup(at(0)), None);
    }

    #[test]
    fn token_that_is_removed_from_the_settings_is_not_valid_after_a_reload() {
        let tokens = tokens("[admin]\ntokens = [\"ops:read:0123456789abcdef\"]\n");
        assert!(tokens.find("0123456789abcdef").is_some());
        tokens.reload(&Config::default().admin);
        assert!(tokens.find("0123456789abcdef").is_none());
    }

    #[test]
    fn damaged_file_is_an_error_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        std::fs::write(&file, "# tokens\n\nops:read:short\n").unwrap();
        let text = format!("[admin]\ntoken_file = {:?}\n", file.to_str().unwrap());
        let error = AdminTokens::new(&Config::parse(&text).unwrap().admin).unwrap_err();
        assert!(error.contains("tokens:3 is not a token"), "{error}");
    }
}
