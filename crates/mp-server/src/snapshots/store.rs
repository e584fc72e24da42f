//! [`SnapshotStore`]: saves and loads snapshots, and counts the results.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mp_rooms::{Code, RoomName};
use mp_scene::{Snapshot, SnapshotError, SnapshotRoom};
use tokio::sync::Notify;

use super::folder::{Folder, Loaded};

/// The snapshots of a server's rooms. Clones refer to the same ones. Files are read and written on
/// threads for blocking work.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folder: Folder,
    /// Number of saves of each room that have begun and not ended.
    saving: Mutex<BTreeMap<RoomName, usize>>,
    saved: Notify,
    /// Locked while a file is read or written, so that the quota holds.
    files: Mutex<()>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    saved: AtomicU64,
    removed: AtomicU64,
    failed: AtomicU64,
    restored: AtomicU64,
    refused: AtomicU64,
}

/// The identity of a room whose state is kept. A later room with an equal one goes on from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptRoom {
    pub(crate) name: RoomName,
    pub(crate) template: RoomName,
    pub(crate) code: Option<Code>,
}

impl KeptRoom {
    fn identity(&self) -> SnapshotRoom {
        SnapshotRoom {
            name: self.name.to_string(),
            template: self.template.to_string(),
            code: self.code.as_ref().map(Code::sha256),
        }
    }
}

impl SnapshotStore {
    pub(crate) fn new(folder: Folder) -> Self {
        Self(Arc::new(Shared {
            folder,
            saving: Mutex::default(),
            saved: Notify::new(),
            files: Mutex::default(),
            counts: Counts::default(),
        }))
    }

    /// Begins to save the state of a room. Rooms of the same name wait for it in
    /// [`load`](Self::load).
    pub(crate) fn begin_save(&self, room: KeptRoom) -> Save {
        *lock(&self.0.saving).entry(room.name.clone()).or_default() += 1;
        Save { store: self.clone(), room }
    }

    /// Returns the state from which a room goes on. Logs why there is none.
    pub(crate) async fn load(&self, room: &KeptRoom) -> Option<Snapshot> {
        self.until_saved(&room.name).await;
        let name = room.name.clone();
        let snapshot = match self.run(move |folder| folder.load(&name)).await {
            Ok(Loaded::Snapshot(snapshot)) => snapshot,
            Ok(Loaded::Nothing) => return None,
            Ok(Loaded::Refused(error)) => {
                count(&self.0.counts.refused);
                let name = &room.name;
                tracing::warn!(%name, error, "the kept state of a room cannot be used; it is set aside, and the game begins anew");
                return None;
            }
            Err(error) => {
                count(&self.0.counts.failed);
                let (name, folder) = (&room.name, self.0.folder.path().display());
                tracing::error!(%name, %folder, %error, "cannot read the kept state of a room; the game begins anew");
                return None;
            }
        };
        if *snapshot.room() != room.identity() {
            // The state of a private room is for those who know its code.
            tracing::info!(name = %room.name, "the kept state of a room has another template or code; the game begins anew");
            return None;
        }
        Some(snapshot)
    }

    /// Handles whether a room has restored its state.
    pub(crate) async fn restored(&self, room: RoomName, result: Result<(), SnapshotError>) {
        let Err(error) = result else {
            count(&self.0.counts.restored);
            return tracing::info!(name = %room, "a room goes on from its kept state");
        };
        count(&self.0.counts.refused);
        let error = mp_core::ErrorChain::new(&error).to_string();
        tracing::warn!(name = %room, error, "a room cannot restore its kept state; it is set aside, and the game begins anew");
        let name = room.clone();
        if let Err(error) = self.run(move |folder| folder.refuse(&name)).await {
            tracing::error!(name = %room, %error, "cannot set a kept state aside");
        }
    }

    /// Returns the numbers of results, by label.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 5] {
        let Counts { saved, removed, failed, restored, refused } = &self.0.counts;
        [
            ("saved", saved),
            ("removed", removed),
            ("failed", failed),
            ("restored", restored),
            ("refused", refused),
        ]
        .map(|(label, count)| (label, count.load(Ordering::Relaxed)))
    }

    async fn until_saved(&self, name: &RoomName) {
        loop {
            let saved = self.0.saved.notified();
            if !lock(&self.0.saving).contains_key(name) {
                return;
            }
            saved.await;
        }
    }

    /// Runs a function that blocks.
    async fn run<R: Send + 'static>(
        &self,
        run: impl FnOnce(&Folder) -> io::Result<R> + Send + 'static,
    ) -> io::Result<R> {
        let shared = self.0.clone();
        let task = tokio::task::spawn_blocking(move || {
            let _one_at_a_time = lock(&shared.files);
            run(&shared.folder)
        });
        task.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

/// A save that has begun. Dropping it ends it.
pub(crate) struct Save {
    store: SnapshotStore,
    room: KeptRoom,
}

impl Save {
    /// Writes the state, or removes the file if there is none. Logs errors.
    pub(crate) async fn finish(self, snapshot: Option<Snapshot>) {
        let (counts, name) = (&self.store.0.counts, self.room.name.clone());
        let Some(snapshot) = snapshot else {
            if let Err(error) = self.store.run(move |folder| folder.remove(&name)).await {
                count(&counts.failed);
                let name = &self.room.name;
                tracing::error!(%name, %error, "cannot remove the kept state of a room");
            }
            return;
        };
        let snapshot = snapshot.with_room(self.room.identity());
        let bytes = snapshot.state().len();
        let saved = self.store.run(move |folder| folder.save(&name, &snapshot)).await;
        let name = &self.room.name;
        match saved {
            Ok(removed) => {
                count(&counts.saved);
                counts.removed.fetch_add(removed, Ordering::Relaxed);
                tracing::info!(%name, bytes, "the state of a room is kept");
            }
            Err(error) => {
                count(&counts.failed);
                let folder = self.store.0.folder.path().display();
                tracing::error!(%name, %folder, bytes, %error, "cannot keep the state of a room");
            }
        }
    }
}

impl Drop for Save {
    fn drop(&mut self) {
        let mut saving = lock(&self.store.0.saving);
        if let Some(number) = saving.get_mut(&self.room.name) {
            *number -= 1;
            if *number == 0 {
                saving.remove(&self.room.name);
            }
        }
        drop(saving);
        self.store.0.saved.notify_waiters();
    }
}

impl fmt::Debug for Save {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Save").field(&self.room.name).finish()
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mp_scene::SnapshotContent;

    use super::*;

    fn kept(template: &str, code: Option<&str>) -> KeptRoom {
        let name = |text: &str| RoomName::new(text).unwrap();
        let code = code.map(|code| Code::new(code).unwrap());
        KeptRoom { name: name("arena"), template: name(template), code }
    }

    fn snapshot() -> Snapshot {
        Snapshot::new(SnapshotContent::Program, 1, &b"state"[..]).unwrap()
    }

    fn run(test: impl AsyncFnOnce(&SnapshotStore)) {
        let directory = tempfile::tempdir().unwrap();
        let day = Duration::from_secs(86_400);
        let store = SnapshotStore::new(Folder::new(directory.path().into(), 1 << 20, day));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(test(&store));
    }

    #[test]
    fn only_a_room_of_the_same_template_and_code_goes_on() {
        run(async |store| {
            let room = kept("default", Some("secret"));
            store.begin_save(room.clone()).finish(Some(snapshot())).await;
            assert_eq!(store.load(&kept("default", None)).await, None);
            assert_eq!(store.load(&kept("default", Some("guess"))).await, None);
            assert_eq!(store.load(&kept("duel", Some("secret"))).await, None);
            let loaded = store.load(&room).await.unwrap();
            assert_eq!(loaded, snapshot().with_room(room.identity()));
            store.begin_save(room.clone()).finish(None).await;
            assert_eq!(store.load(&room).await, None, "the game has ended");
        });
    }

    #[test]
    fn room_of_the_same_name_waits_until_the_last_one_is_saved() {
        run(async |store| {
            let room = kept("default", None);
            let saves = [store.begin_save(room.clone()), store.begin_save(room.clone())];
            let save = async {
                for save in saves {
                    tokio::task::yield_now().await;
                    save.finish(Some(snapshot())).await;
                }
            };
            let (loaded, ()) = tokio::join!(store.load(&room), save);
            assert!(loaded.is_some());
        });
    }

    #[test]
    fn state_that_a_room_refuses_is_not_offered_again_and_counted() {
        run(async |store| {
            let room = kept("default", None);
            store.begin_save(room.clone()).finish(Some(snapshot())).await;
            assert!(store.load(&room).await.is_some());
            store.restored(room.name.clone(), Err(SnapshotError::InUse)).await;
            assert_eq!(store.load(&room).await, None);
            let counts = [("saved", 1), ("removed", 0), ("failed", 0)];
            let counts = [&counts[..], &[("restored", 0), ("refused", 1)]].concat();
            assert_eq!(store.counts()[..], counts);
        });
    }
}
