//! [`AllowedOrigins`]: the web pages that may connect to a server.

use std::sync::{Arc, PoisonError, RwLock};

/// Origins of web pages whose scripts may connect to a server, such as `https://game.example`; an
/// empty list (default) allows all.
///
/// Clones refer to the same list, so that a program can [replace](Self::set) the list of a running
/// server. New connections are checked against the new list; open connections stay.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(Arc<RwLock<Vec<String>>>);

impl AllowedOrigins {
    /// Returns a list of origins.
    pub fn new<O: Into<String>>(origins: impl IntoIterator<Item = O>) -> Self {
        let list = Self::default();
        list.set(origins);
        list
    }

    /// Replaces the list.
    pub fn set<O: Into<String>>(&self, origins: impl IntoIterator<Item = O>) {
        let origins = origins.into_iter().map(O::into).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = origins;
    }

    /// Returns whether a page may connect that sends these origins.
    pub(crate) fn allow<'o>(&self, mut origins: impl Iterator<Item = &'o str>) -> bool {
        let allowed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_allowed = |origin: &str| allowed.iter().any(|it| it.eq_ignore_ascii_case(origin));
        allowed.is_empty() || origins.all(is_allowed)
    }
}
