//! The limit of open files, which every WebSocket player counts against.

/// Raises the soft limit towards the hard one, as far as `needed`. Returns the limit then in force;
/// `None` where the system has none or does not say.
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

/// Elsewhere sockets are not files.
#[cfg(not(unix))]
pub(crate) fn raise(_needed: u64) -> Option<u64> {
    None
}

/// Files that the program opens besides the sockets of its players.
pub(crate) const OWN: u64 = 64;
/// Files that one thread of ENet opens.
pub(crate) const PER_SHARD: u64 = 8;
