//! [`Storage`]: the files of accounts and certificates.
//!
//! ```text
//! acme/                                  acme.folder, mode 0700
//!   acme-v02.api.letsencrypt.org/        one folder per authority
//!     account.json                       key of the account, mode 0600
//!     game.example.com.pem               key and certificate chain, mode 0600
//! ```

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use mp_tls::{Identity, TlsError};

use crate::config::AcmeConfig;
use crate::durable_file::{self, Readers};

/// The files of one authority and one list of names.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    account: PathBuf,
    certificate: PathBuf,
}

impl Storage {
    /// Returns the files of the settings, which may not exist.
    pub(crate) fn new(config: &AcmeConfig) -> Self {
        let authority = config.directory_url();
        let authority = authority.split("://").nth(1).unwrap_or(authority);
        let authority = authority.split(['/', '?']).next().unwrap_or_default();
        // A port has a colon, which Windows does not permit in names.
        let folder = config.folder.join(authority.replace(':', "_"));
        let name = config.domains.first().map_or("certificate", String::as_str);
        Self {
            account: folder.join("account.json"),
            certificate: folder.join(format!("{name}.pem")),
        }
    }

    /// Creates the folders.
    ///
    /// # Errors
    ///
    /// If they cannot be created. The error is a message.
    pub(super) fn create_folders(&self) -> Result<(), String> {
        let folder = self.account.parent().unwrap_or_else(|| Path::new("."));
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|error| {
            let out = "set acme.folder to a folder that the server may write";
            format!("cannot create {}: {error}; {out}", folder.display())
        })
    }

    /// Returns the file of the key and the certificate.
    pub(crate) fn certificate_file(&self) -> &Path {
        &self.certificate
    }

    /// Reads the certificate.
    ///
    /// # Errors
    ///
    /// If the file is missing or invalid.
    pub(crate) fn certificate(&self) -> Result<Identity, TlsError> {
        Identity::from_files(&self.certificate, &self.certificate)
    }

    /// Replaces the certificate. The key and the chain are in one file, so that they always match.
    ///
    /// # Errors
    ///
    /// If the file cannot be written. The error is a message.
    pub(super) fn save_certificate(&self, key: &str, chain: &str) -> Result<(), String> {
        save(&self.certificate, &format!("{key}{chain}"))
    }

    /// Reads the account; `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged. The error is a message.
    pub(super) fn account(&self) -> Result<Option<AccountCredentials>, String> {
        let damaged = |error: io::Error| {
            let out = "restore the file, or remove it to create a new account";
            format!("cannot read the account in {}: {error}; {out}", self.account.display())
        };
        let text = match fs::read(&self.account) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(damaged(error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| damaged(error.into()))
    }

    /// Saves a new account.
    ///
    /// # Errors
    ///
    /// If the file cannot be written. The error is a message.
    pub(super) fn save_account(&self, account: &AccountCredentials) -> Result<(), String> {
        let text = serde_json::to_string(account).map_err(|error| error.to_string())?;
        save(&self.account, &text)
    }
}

fn save(path: &Path, text: &str) -> Result<(), String> {
    durable_file::replace(path, text.as_bytes(), Readers::Owner)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use mp_tls::DevelopmentCertificate;

    use super::*;
    use crate::config::Config;

    fn storage(folder: &Path, directory: &str) -> Storage {
        let text = format!(
            "[acme]\ndomains = [\"game.example\"]\nfolder = {folder:?}\ndirectory = \"{directory}\"\n"
        );
        Storage::new(&Config::parse(&text).unwrap().acme.unwrap())
    }

    #[test]
    fn authorities_do_not_share_accounts_and_certificates() {
        let file = |directory| storage(Path::new("acme"), directory).certificate;
        let folder = Path::new("acme");
        let production = folder.join("acme-v02.api.letsencrypt.org/game.example.pem");
        assert_eq!(file("letsencrypt"), production);
        let staging = folder.join("acme-staging-v02.api.letsencrypt.org/game.example.pem");
        assert_eq!(file("letsencrypt-staging"), staging);
        let own = folder.join("ca.example_14000/game.example.pem");
        assert_eq!(file("https://ca.example:14000/dir"), own);
    }

    #[test]
    fn saved_certificates_are_read_and_damaged_accounts_are_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let storage = storage(&folder.path().join("acme"), "letsencrypt");
        storage.create_folders().unwrap();
        assert!(storage.certificate().is_err());
        let made = DevelopmentCertificate::new(&["game.example"]).unwrap();
        storage.save_certificate(made.key_pem(), made.certificate_pem()).unwrap();
        assert!(storage.certificate().unwrap().is_for("game.example"));
        assert!(storage.account().unwrap().is_none());
        fs::write(&storage.account, "{").unwrap();
        let error = storage.account().map(drop).unwrap_err();
        assert!(error.contains("account.json") && error.contains("remove it"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn files_and_folders_are_those_of_the_owner_alone() {
        use std::os::unix::fs::MetadataExt as _;

        let folder = tempfile::tempdir().unwrap();
        let storage = storage(&folder.path().join("acme"), "letsencrypt");
        storage.create_folders().unwrap();
        storage.save_certificate("a", "b").unwrap();
        save(&storage.account, "c").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&folder.path().join("acme")), 0o700);
        assert_eq!((mode(&storage.certificate), mode(&storage.account)), (0o600, 0o600));
    }
}
