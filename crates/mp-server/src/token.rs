//! `mp-server token`: issues a token for trying, and creates keys.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use mp_core::host::unix_now;
use mp_core::{ErrorChain, UnixSeconds};
use mp_identity::{Identity, Role, Subject, TokenIssuer, TokenSettings};
use mp_tls::SigningKeyPair;

use crate::config::units;
use crate::{Failure, output};

/// Issue a token with which a player can join, or create the keys for it
///
/// The token is printed alone, so that a script can use it: TOKEN=$(mp-server token --sub kay). In
/// production your own service issues tokens, with any library for JWT (EdDSA, ES256 or HS256).
///
/// First create the keys: mp-server token --new-key writes token.key, which signs, and token.pub,
/// with which servers verify.
#[derive(Args, Debug)]
pub(crate) struct TokenArgs {
    /// Create an Ed25519 key pair in the files --key and --public-key instead of a token
    #[arg(long, conflicts_with_all = ["sub", "secret"])]
    new_key: bool,

    /// File with the private key (PEM: Ed25519 or ECDSA P-256) that signs the token
    #[arg(long, value_name = "FILE", default_value = "token.key")]
    key: PathBuf,

    /// File for the public key, with --new-key
    #[arg(long, value_name = "FILE", default_value = "token.pub", requires = "new_key")]
    public_key: PathBuf,

    /// Sign with this secret of at least 32 bytes (HS256) instead of a key; other users of this
    /// machine can see it
    #[arg(long, value_name = "SECRET")]
    secret: Option<String>,

    /// Unique name of the player (claim sub)
    #[arg(long, value_name = "SUBJECT", required_unless_present = "new_key")]
    sub: Option<Subject>,

    /// Name of the player for others
    #[arg(long)]
    name: Option<String>,

    /// The only room that the player may join [default: any]
    #[arg(long)]
    room: Option<String>,

    /// Role: player, spectator or host
    #[arg(long, default_value_t)]
    role: Role,

    /// Permit the player to create the room
    #[arg(long)]
    create: bool,

    /// Maximum number of players of a room that the player creates [default: the template's]
    #[arg(long, value_name = "PLAYERS")]
    max_players: Option<u16>,

    /// Time until the token expires, such as 90s, 15m, 1h or 7d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_time)]
    ttl: Duration,

    /// Name of the servers that accept the token (claim aud)
    #[arg(long, value_name = "AUDIENCE", default_value = TokenSettings::AUDIENCE)]
    aud: String,

    /// Name of the issuer (claim iss), if servers require one
    #[arg(long, value_name = "ISSUER")]
    iss: Option<String>,

    /// Id of the key (header kid), if servers have several keys
    #[arg(long, value_name = "ID")]
    kid: Option<String>,

    /// Id of the token (claim jti), if servers accept each token once
    #[arg(long, value_name = "ID")]
    jti: Option<String>,
}

/// Prints a token, or creates keys and prints how to use them.
pub(crate) fn run(args: &TokenArgs) -> Result<(), Failure> {
    if args.new_key {
        return create_keys(args);
    }
    let token = issue(args, unix_now()).map_err(Failure::Refused)?;
    output::print(io::stdout(), token + "\n")
        .map_err(|error| Failure::Unprinted(format!("cannot print the token: {error}")))
}

/// Returns the token. The error is a message.
fn issue(args: &TokenArgs, now: UnixSeconds) -> Result<String, String> {
    let identity = identity(args, now).map_err(|error| error.to_string())?;
    let mut issuer = issuer(args)?.audience(&args.aud);
    if let Some(issuer_name) = &args.iss {
        issuer = issuer.issuer(issuer_name);
    }
    if let Some(id) = &args.kid {
        issuer = issuer.key_id(id);
    }
    let token = issuer.issue(now, &identity, args.jti.as_deref());
    token.map(|it| it.as_str().to_owned()).map_err(|error| ErrorChain::new(&error).to_string())
}

fn identity(args: &TokenArgs, now: UnixSeconds) -> Result<Identity, mp_identity::InvalidIdentity> {
    let subject = args.sub.clone().ok_or(mp_identity::InvalidIdentity::Subject)?;
    let mut identity = Identity::new(subject)
        .with_role(args.role)
        .with_create(args.create)
        .with_max_players(args.max_players)
        .with_expires(Some(now.saturating_add(args.ttl.as_secs())));
    if let Some(name) = &args.name {
        identity = identity.with_name(name)?;
    }
    if let Some(room) = &args.room {
        identity = identity.with_room(room)?;
    }
    Ok(identity)
}

fn issuer(args: &TokenArgs) -> Result<TokenIssuer, String> {
    if let Some(secret) = &args.secret {
        return TokenIssuer::secret(secret.as_bytes()).map_err(|error| error.to_string());
    }
    let file = args.key.display();
    let pem = read(&args.key).map_err(|error| {
        format!(
            "cannot read {file}: {error}; create a key with `mp-server token --new-key`, or pass --secret"
        )
    })?;
    TokenIssuer::private_pem(&pem).map_err(|error| format!("{file}: {error}"))
}

/// Reads a file of a key, which is small.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let size = fs::metadata(path)?.len();
    if size > KEY_FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it has {size} bytes, so it is no key")));
    }
    fs::read(path)
}

fn create_keys(args: &TokenArgs) -> Result<(), Failure> {
    let (private, public) = (args.key.display(), args.public_key.display());
    let made = SigningKeyPair::new().and_then(|pair| pair.write(&args.key, &args.public_key));
    made.map_err(|error| Failure::Refused(ErrorChain::new(&error).to_string()))?;
    let text = format!(
        "{private}: private key that signs tokens; keep it secret\n\
         {public}: public key with which servers verify them\n\n\
         Issue a token for a player:\n\n    mp-server token --key {private} --sub kay\n"
    );
    output::print(io::stdout(), text).map_err(|error| {
        Failure::Unprinted(format!(
            "{private} and {public} are written, but standard output cannot be: {error}"
        ))
    })
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let seconds = units::seconds(text).and_then(|seconds| u64::try_from(seconds).ok());
    let seconds = seconds.filter(|seconds| *seconds > 0);
    let time = seconds.map(Duration::from_secs);
    time.ok_or_else(|| "use a number with a unit, such as 90s, 15m, 1h or 7d".to_owned())
}

/// Maximum size of the file of a key in bytes.
const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;
