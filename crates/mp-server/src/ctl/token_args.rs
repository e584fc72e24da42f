//! `mp-server ctl new-token`: makes a token without a server.

use clap::Args;

use crate::admin::{Scope, Token};

/// Make a token, and print it with its line for the settings, which does not contain it
///
/// Needs no server.
#[derive(Args, Clone, Debug)]
pub(super) struct NewTokenArgs {
    /// Name of the token in logs
    name: String,
    /// Scopes of the token: read, rooms, peers, server
    #[arg(long, value_delimiter = ',', required = true, value_name = "SCOPE,…")]
    scopes: Vec<Scope>,
}

impl NewTokenArgs {
    /// Returns the text with the token. The error is a message.
    pub(super) fn make(&self) -> Result<String, String> {
        let made = Token::generate(&self.name, &self.scopes);
        let invalid = || {
            format!(
                "cannot make the token {:?}: a name has 1 to 64 letters, digits, hyphens, underscores and dots",
                self.name
            )
        };
        let (token, secret) = made.ok_or_else(invalid)?;
        Ok(format!(
            "Token, which is shown once (MP_ADMIN_TOKEN, or the file of --token-file):\n{secret}\n\n\
             For the list admin.tokens of the server, or a line of its admin.token_file:\n{token}\n"
        ))
    }
}
