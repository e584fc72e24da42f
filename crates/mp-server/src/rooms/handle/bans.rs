//! Bans of addresses, networks and players.

use std::time::Duration;

use mp_cluster::directory::BanRecord;
use mp_core::{AddressPrefix, UnixSeconds};
use mp_identity::Subject;
use mp_rooms::NoticeText;

use super::RoomsHandle;
use crate::bans::{BanError, BanTarget, ban_record, end_of};
use crate::cluster::ToNode;
use crate::rooms::host::RoomsHost;

impl RoomsHandle {
    /// Bans an address or a network for `time`, `None`: until [`unban`](Self::unban), and
    /// disconnects its players. Returns how many. Bans are kept over restarts if the configuration
    /// has a `limits.ban_file`.
    ///
    /// # Errors
    ///
    /// See [`BanError`].
    pub async fn ban(
        &self,
        prefix: AddressPrefix,
        time: Option<Duration>,
    ) -> Result<usize, BanError> {
        self.ban_target(BanTarget::Address(prefix), time, None).await
    }

    /// Bans an address, a network or a player, as [`ban`](Self::ban) does. `text` is for the
    /// players who are disconnected, in place of the reason's: the close reason of WebSocket, and
    /// if the room's template has [`notify`](mp_rooms::Template::notify), a packet with the code
    /// `banned`.
    pub(crate) async fn ban_target(
        &self,
        target: BanTarget,
        time: Option<Duration>,
        text: Option<NoticeText>,
    ) -> Result<usize, BanError> {
        let until = end_of(time);
        let banned = self.bans.ban_until(target.clone(), until).await;
        if let Err(error @ BanError::Full) = banned {
            return Err(error);
        }
        self.share(vec![ban_record(&target, until, false)]);
        let disconnected = self.disconnect_banned(target, text).await;
        banned.map(|()| disconnected)
    }

    /// Disconnects the players of a target that is banned. Returns the number of connections.
    async fn disconnect_banned(&self, target: BanTarget, text: Option<NoticeText>) -> usize {
        let of = target.clone();
        let disconnect = move |host: &mut RoomsHost| host.disconnect_banned(&of, text.as_ref());
        let mut disconnected = self.call(disconnect).await.unwrap_or_default();
        if let BanTarget::Address(prefix) = target {
            // Connections that are in no room yet.
            for endpoint in self.call(|host| host.endpoints()).await.unwrap_or_default() {
                disconnected += endpoint.disconnect_addresses(prefix).await.unwrap_or_default();
            }
        }
        disconnected
    }

    /// Applies the bans of the cluster. Returns those that the cluster does not have.
    pub(crate) async fn merge_bans(&self, records: Vec<BanRecord>) -> Vec<BanRecord> {
        let merged = self.bans.merge(records).await;
        for target in merged.added {
            self.disconnect_banned(target, None).await;
        }
        merged.missing
    }

    async fn lift(&self, target: BanTarget) -> Result<bool, BanError> {
        let lifted = self.bans.unban(&target).await;
        if !matches!(lifted, Ok(false)) {
            self.share(vec![ban_record(&target, None, true)]);
        }
        lifted
    }

    /// Lets bans hold, or end, on all nodes of the cluster.
    fn share(&self, records: Vec<BanRecord>) {
        if let Some(cluster) = self.cluster() {
            cluster.send(ToNode::Bans(records));
        }
    }

    /// Ends a ban. Returns false if there is none of exactly this address or network.
    ///
    /// # Errors
    ///
    /// [`BanError::NotSaved`].
    pub async fn unban(&self, prefix: AddressPrefix) -> Result<bool, BanError> {
        self.lift(BanTarget::Address(prefix)).await
    }

    /// Returns the banned addresses and networks, in order, with the times at which their bans end;
    /// `None`: never.
    pub async fn bans(&self) -> Vec<(AddressPrefix, Option<UnixSeconds>)> {
        self.bans.addresses().await
    }

    /// Bans a player by its subject for `time`, `None`: until [`unban_player`](Self::unban_player),
    /// and disconnects it from all rooms. Returns the number of its connections. The bans are in
    /// the file of the [other bans](Self::ban).
    ///
    /// # Errors
    ///
    /// See [`BanError`].
    pub async fn ban_player(
        &self,
        subject: Subject,
        time: Option<Duration>,
    ) -> Result<usize, BanError> {
        self.ban_target(BanTarget::Player(subject), time, None).await
    }

    /// Ends the ban of a player. Returns false if there is none.
    ///
    /// # Errors
    ///
    /// [`BanError::NotSaved`].
    pub async fn unban_player(&self, subject: Subject) -> Result<bool, BanError> {
        self.lift(BanTarget::Player(subject)).await
    }

    /// Returns the players who are banned by their subject, with the times at which their bans
    /// end; `None`: never.
    pub async fn banned_players(&self) -> Vec<(Subject, Option<UnixSeconds>)> {
        self.bans.players().await
    }
}
