//! The certificate of a server, which can be replaced while the server runs.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::identity::read;
use crate::{Identity, TlsError};

/// A server's [`Identity`], shared by all users of the store's clones. [`reload`](Self::reload)
/// loads changed files. New connections then use the new certificate; established ones are not
/// affected.
#[derive(Clone)]
pub struct CertificateStore(Arc<Shared>);

struct Shared {
    current: RwLock<Current>,
    files: Option<[PathBuf; 2]>,
    /// True until files are loaded.
    is_placeholder: AtomicBool,
}

struct Current {
    identity: Identity,
    /// Contents of the files when they were last loaded, valid or not; `None` for a file that could
    /// not be read.
    contents: Contents,
}

/// Contents of the certificate file and of the key file.
type Contents = [Option<Vec<u8>>; 2];

impl CertificateStore {
    /// Returns a store with one identity, which never changes.
    pub fn new(identity: Identity) -> Self {
        Self::with(identity, None, [None, None])
    }

    /// Returns a store with the contents of two PEM files; see [`Identity::from_files`].
    ///
    /// # Errors
    ///
    /// Same as [`Identity::from_files`].
    pub fn from_files(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let files = [certificate.into(), key.into()];
        let (identity, contents) = load(&files);
        Ok(Self::with(identity?, Some(files), contents))
    }

    /// Returns a store for two PEM files that may not exist yet. It has the identity `placeholder`
    /// until a [`reload`](Self::reload) finds valid files. The first check of
    /// [`has_changed`](Self::has_changed) finds existing ones.
    pub fn from_future_files(
        placeholder: Identity,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        let store = Self::with(placeholder, Some([certificate.into(), key.into()]), [None, None]);
        store.0.is_placeholder.store(true, Ordering::Relaxed);
        store
    }

    fn with(identity: Identity, files: Option<[PathBuf; 2]>, contents: Contents) -> Self {
        let current = RwLock::new(Current { identity, contents });
        Self(Arc::new(Shared { current, files, is_placeholder: AtomicBool::new(false) }))
    }

    /// Returns whether the identity is still that of
    /// [`from_future_files`](Self::from_future_files), which clients have no reason to trust.
    pub fn is_placeholder(&self) -> bool {
        self.0.is_placeholder.load(Ordering::Relaxed)
    }

    /// Returns the current identity.
    pub fn identity(&self) -> Identity {
        self.read(|current| current.identity.clone())
    }

    /// Returns whether the files differ from those loaded last. Compares contents, since times and
    /// sizes do not reveal a restored backup or a changed symbolic link. Reading two small files is
    /// cheap enough to do every few seconds.
    pub fn has_changed(&self) -> bool {
        let Some(files) = &self.0.files else { return false };
        let contents = files.each_ref().map(|file| read(file).ok());
        self.read(|current| current.contents != contents)
    }

    /// Loads the files again. Does nothing in a store without files.
    ///
    /// # Errors
    ///
    /// If the files are not valid, for example half written. The store keeps its certificate, and
    /// [`has_changed`](Self::has_changed) returns true after the next change of a file.
    pub fn reload(&self) -> Result<(), TlsError> {
        let Some(files) = &self.0.files else { return Ok(()) };
        let (identity, contents) = load(files);
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        current.contents = contents;
        current.identity = identity?;
        self.0.is_placeholder.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Returns the configuration of a rustls server that reads the store for each connection: TLS
    /// 1.2 and 1.3, without client certificates.
    ///
    /// # Errors
    ///
    /// If the cryptography provider rejects the settings, which is not expected.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let config = ServerConfig::builder_with_provider(crate::provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Setup(error.into()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        Ok(Arc::new(config))
    }

    fn read<T>(&self, f: impl FnOnce(&Current) -> T) -> T {
        f(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
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

/// Reads each file once. Returns the identity and the contents.
fn load(files: &[PathBuf; 2]) -> (Result<Identity, TlsError>, Contents) {
    let [certificate, key] = files.each_ref().map(|file| read(file));
    let contents = [certificate.as_ref().ok().cloned(), key.as_ref().ok().cloned()];
    let identity = certificate.and_then(|certificate| {
        let names = files.each_ref().map(|file| file.display().to_string());
        Identity::named(&certificate, &key?, names)
    });
    (identity, contents)
}
