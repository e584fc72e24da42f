//! Bans of addresses and players, which are kept over restarts.

mod file;
mod list;
mod merge;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use mp_core::host::unix_now;
use mp_core::{AddressPrefix, ConnectionGate, UnixSeconds};
use mp_identity::Subject;
use tokio::sync::{Mutex, Notify};

pub(crate) use self::list::{BanTarget, Bans};
pub(crate) use self::merge::ban_record;

/// The reason why a ban was not added or removed.
#[derive(Debug)]
#[non_exhaustive]
pub enum BanError {
    /// There are too many bans.
    Full,
    /// The change applies, but could not be saved: it ends with the process.
    NotSaved(io::Error),
}

impl fmt::Display for BanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "there are {} bans already", list::BANS_MAX),
            Self::NotSaved(error) => write!(f, "the ban applies, but cannot be saved: {error}"),
        }
    }
}

impl std::error::Error for BanError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Full => None,
            Self::NotSaved(error) => Some(error),
        }
    }
}

/// The bans of a server. Clones refer to the same bans.
#[derive(Clone, Debug)]
pub(crate) struct BanRegistry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    gate: ConnectionGate,
    /// Players who are banned now.
    players: RwLock<BTreeSet<Subject>>,
    /// The file; `None`: bans end with the process.
    path: Option<PathBuf>,
    /// Locked until a change is saved, so that saves are in order.
    bans: Mutex<Bans>,
    changed: Notify,
}

impl BanRegistry {
    /// Loads the bans.
    ///
    /// # Errors
    ///
    /// If the file exists and cannot be read, so that the server does not start without its bans.
    pub(crate) fn load(gate: ConnectionGate, path: Option<PathBuf>) -> io::Result<Self> {
        let bans = path.as_deref().map(file::load).transpose()?.unwrap_or_default();
        let shared = Shared {
            gate,
            players: RwLock::default(),
            path,
            bans: Mutex::new(Bans::default()),
            changed: Notify::new(),
        };
        shared.apply(&bans);
        Ok(Self(Arc::new(Shared { bans: Mutex::new(bans), ..shared })))
    }

    /// Bans `target` until a time; `None`: until [`unban`](Self::unban).
    ///
    /// # Errors
    ///
    /// See [`BanError`].
    pub(crate) async fn ban_until(
        &self,
        target: BanTarget,
        until: Option<UnixSeconds>,
    ) -> Result<(), BanError> {
        let mut bans = self.0.bans.lock().await;
        if !bans.insert(target, until) {
            return Err(BanError::Full);
        }
        self.changed(&bans).await
    }

    /// Ends a ban. Returns false if there is none of exactly this target.
    ///
    /// # Errors
    ///
    /// [`BanError::NotSaved`].
    pub(crate) async fn unban(&self, target: &BanTarget) -> Result<bool, BanError> {
        let mut bans = self.0.bans.lock().await;
        if !bans.remove(target) {
            return Ok(false);
        }
        self.changed(&bans).await.map(|()| true)
    }

    /// Returns the bans of addresses.
    pub(crate) async fn addresses(&self) -> Vec<(AddressPrefix, Option<UnixSeconds>)> {
        self.0.bans.lock().await.addresses().collect()
    }

    /// Returns the bans of players.
    pub(crate) async fn players(&self) -> Vec<(Subject, Option<UnixSeconds>)> {
        let bans = self.0.bans.lock().await;
        bans.players().map(|(subject, until)| (subject.clone(), until)).collect()
    }

    /// Returns whether a player is banned.
    pub(crate) fn is_banned(&self, subject: &Subject) -> bool {
        let players = self.0.players.read();
        players.unwrap_or_else(PoisonError::into_inner).contains(subject)
    }

    /// Ends bans at their times. Does not return.
    pub(crate) async fn expire(&self) {
        loop {
            let next = self.0.bans.lock().await.next_end();
            // The wall clock may be set, so its time is read again at least once per interval.
            let wait = next.map_or(Duration::MAX, |end| {
                Duration::from_secs(end.saturating_sub(unix_now())).min(CLOCK_INTERVAL)
            });
            tokio::select! {
                () = tokio::time::sleep(wait), if next.is_some() => {}
                () = self.0.changed.notified() => {}
            }
            let mut bans = self.0.bans.lock().await;
            if bans.remove_ended(unix_now())
                && let Err(error) = self.changed(&bans).await
            {
                tracing::warn!(%error, "bans have ended");
            }
        }
    }

    /// Applies changed bans and saves them.
    async fn changed(&self, bans: &Bans) -> Result<(), BanError> {
        self.0.apply(bans);
        self.0.changed.notify_one();
        let Some(path) = self.0.path.clone() else { return Ok(()) };
        let text = bans.to_text();
        let saved = tokio::task::spawn_blocking(move || file::save(&path, &text)).await;
        saved.unwrap_or_else(|panicked| Err(io::Error::other(panicked))).map_err(BanError::NotSaved)
    }
}

impl Shared {
    fn apply(&self, bans: &Bans) {
        self.gate.set_bans(bans.addresses().map(|(prefix, _)| prefix));
        let players = bans.players().map(|(subject, _)| subject.clone()).collect();
        *self.players.write().unwrap_or_else(PoisonError::into_inner) = players;
    }
}

/// Returns the time at which a ban ends that begins now; `None`: never.
pub(crate) fn end_of(time: Option<Duration>) -> Option<UnixSeconds> {
    time.map(|time| unix_now().saturating_add(time.as_secs().max(1)))
}

/// Maximum time after which the wall clock is read again.
const CLOCK_INTERVAL: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use mp_core::{GateRefusal, Instant};

    use super::*;

    #[test]
    fn bans_apply_to_the_gate_and_are_kept_over_restarts() {
        let directory = tempfile::tempdir().unwrap();
        let path = Some(directory.path().join("bans"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let network = BanTarget::Address("192.0.2.0/24".parse().unwrap());
        let address = [192, 0, 2, 9].into();
        let check = |gate: &ConnectionGate| gate.check(Instant::ZERO, address);
        runtime.block_on(async {
            let gate = ConnectionGate::default();
            let bans = BanRegistry::load(gate.clone(), path.clone()).unwrap();
            bans.ban_until(network.clone(), end_of(Some(Duration::from_secs(3_600))))
                .await
                .unwrap();
            assert_eq!(check(&gate), Err(GateRefusal::Banned));

            let gate = ConnectionGate::default();
            let bans = BanRegistry::load(gate.clone(), path.clone()).unwrap();
            assert_eq!(check(&gate), Err(GateRefusal::Banned), "after a restart");
            assert!(bans.unban(&network).await.unwrap());
            assert_eq!((check(&gate), bans.addresses().await), (Ok(()), vec![]));

            let gate = ConnectionGate::default();
            BanRegistry::load(gate.clone(), path.clone()).unwrap();
            assert_eq!(check(&gate), Ok(()), "after another restart");
        });
    }

    #[test]
    fn banned_players_are_known_until_their_bans_end_and_after_restarts() {
        let directory = tempfile::tempdir().unwrap();
        let path = Some(directory.path().join("bans"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let [kay, bob] = ["kay", "bob"].map(|it| Subject::new(it).unwrap());
        let load = || BanRegistry::load(ConnectionGate::default(), path.clone()).unwrap();
        runtime.block_on(async {
            let bans = load();
            bans.ban_until(BanTarget::Player(kay.clone()), None).await.unwrap();
            assert!(bans.is_banned(&kay) && !bans.is_banned(&bob));
            let bans = load();
            assert_eq!(
                (bans.is_banned(&kay), bans.players().await),
                (true, vec![(kay.clone(), None)])
            );
            assert!(bans.unban(&BanTarget::Player(kay.clone())).await.unwrap());
            assert!(!bans.is_banned(&kay) && !load().is_banned(&kay));
        });
    }

    #[test]
    fn ban_that_cannot_be_saved_applies_and_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        let gate = ConnectionGate::default();
        let path = directory.path().join("none").join("bans");
        let bans = BanRegistry::load(gate.clone(), Some(path)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let banned =
            runtime.block_on(bans.ban_until(BanTarget::Address("::1".parse().unwrap()), None));
        assert!(matches!(banned, Err(BanError::NotSaved(_))), "{banned:?}");
        assert!(gate.check(Instant::ZERO, "::1".parse().unwrap()).is_err());
    }
}
