//! The limit of open files, to which each WebSocket player adds one.

/// Raises the soft limit to `needed`, at most to the hard limit. Returns the resulting limit;
/// `None` if the system has none.
#[cfg(unix)]
pub(crate) fn raise(needed: u64) -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let wanted = needed.min(hard);
    if wanted <= soft {
        return Some(soft);
    }
    match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        Ok(()) => Some(wanted),
        Err(_) => Some(soft),
    }
}

/// Returns the hard limit; `None` if the system has none.
#[cfg(unix)]
pub(crate) fn max() -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit};
    getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(_, hard)| hard)
}

/// Returns `None`: on this system sockets are not files.
#[cfg(not(unix))]
pub(crate) fn max() -> Option<u64> {
    None
}

/// Returns `None`: on this system sockets are not files.
#[cfg(not(unix))]
pub(crate) fn raise(_needed: u64) -> Option<u64> {
    None
}

/// Files that the program opens besides its players' sockets.
pub(crate) const OWN: u64 = 64;
/// Files that each ENet thread opens.
pub(crate) const PER_SHARD: u64 = 8;
