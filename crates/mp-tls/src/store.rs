//! A server's certificate, which can be replaced while the server runs.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::identity::read;
use crate::{Identity, TlsError};

/// A server's [`Identity`], shared by all who serve with it. When its files have changed, [`reload`](Self::reload) takes the new
/// ones: connections from then on get the new certificate, those that stand are not touched.
#[derive(Clone)]
pub struct CertificateStore(Arc<Shared>);

struct Shared {
    current: RwLock<Current>,
    files: Option<[PathBuf; 2]>,
}

struct Current {
    identity: Identity,
    /// Contents of the files when they were last loaded, usable or not; `None` for one that could not be
    /// read.
    contents: Contents,
}

/// Contents of the certificate's and the key's file.
type Contents = [Option<Vec<u8>>; 2];

impl CertificateStore {
    /// A store with one identity, which does not change.
    pub fn new(identity: Identity) -> Self {
        Self::with(identity, None, [None, None])
    }

    /// A store of what two PEM files hold; see [`Identity::from_files`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn from_files(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let files = [certificate.into(), key.into()];
        let (identity, contents) = load(&files);
        Ok(Self::with(identity?, Some(files), contents))
    }

    fn with(identity: Identity, files: Option<[PathBuf; 2]>, contents: Contents) -> Self {
        let current = RwLock::new(Current { identity, contents });
        Self(Arc::new(Shared { current, files }))
    }

    /// What it holds now.
    pub fn identity(&self) -> Identity {
        self.read(|current| current.identity.clone())
    }

    /// Returns true when the files differ from what was last loaded. It compares contents: times and
    /// sizes miss a restored backup or a link that points elsewhere. Reading two small files is cheap
    /// enough for every few seconds.
    pub fn has_changed(&self) -> bool {
        let Some(files) = &self.0.files else { return false };
        let contents = files.each_ref().map(|file| read(file).ok());
        self.read(|current| current.contents != contents)
    }

    /// Loads the files again. A store without files stays as it is.
    ///
    /// # Errors
    ///
    /// When they cannot be used, such as half-written ones. The store keeps its certificate; the next
    /// change of a file makes it [`has_changed`](Self::has_changed) again.
    pub fn reload(&self) -> Result<(), TlsError> {
        let Some(files) = &self.0.files else { return Ok(()) };
        let (identity, contents) = load(files);
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        current.contents = contents;
        current.identity = identity?;
        Ok(())
    }

    /// The configuration of a rustls server that asks this store for each connection. TLS 1.2 and 1.3, no client certificates.
    ///
    /// # Errors
    ///
    /// When the cryptography refuses it, which should not happen.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let config = ServerConfig::builder_with_provider(crate::provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Setup(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        Ok(Arc::new(config))
    }

    fn read<T>(&self, look: impl FnOnce(&Current) -> T) -> T {
        look(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for CertificateStore {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.read(|current| Arc::clone(current.identity.certified())))
    }
}

impl From<Identity> for CertificateStore {
    fn from(identity: Identity) -> Self {
        Self::new(identity)
    }
}

impl fmt::Debug for CertificateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identity = self.identity();
        f.debug_struct("CertificateStore")
            .field("identity", &identity)
            .field("files", &self.0.files)
            .finish()
    }
}

/// Reads the files once: the identity in them, and their contents.
fn load(files: &[PathBuf; 2]) -> (Result<Identity, TlsError>, Contents) {
    let [certificate, key] = files.each_ref().map(|file| read(file));
    let contents = [certificate.as_ref().ok().cloned(), key.as_ref().ok().cloned()];
    let identity = certificate.and_then(|certificate| {
        let names = files.each_ref().map(|file| file.display().to_string());
        Identity::named(&certificate, &key?, names)
    });
    (identity, contents)
}
