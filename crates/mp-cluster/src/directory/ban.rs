//! [`BanRecord`]: a ban in the directory.
#![expect(clippy::exhaustive_structs, reason = "servers construct it")]

use std::time::Duration;

use bytes::Bytes;
use mp_core::UnixSeconds;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::record::{decode, encode};
use super::{EntryKey, Operation, Revision};
use crate::limits::{BAN_TARGET_BYTES_MAX, LIFTED_BAN_TIME};
use crate::wire::bounded::Text;

/// A ban that holds on all nodes, or one that was lifted.
///
/// A lifted ban stays in the directory for [`LIFTED_BAN_TIME`], so that a node that was down does
/// not bring it back from its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanRecord {
    /// The address, network or player, as the server writes it: at most [`BAN_TARGET_BYTES_MAX`]
    /// bytes.
    pub target: String,
    /// Time at which the ban ends; `None`: never.
    pub until: Option<UnixSeconds>,
    /// True if the ban was lifted.
    pub is_lifted: bool,
}

#[derive(Serialize, Deserialize)]
struct WireBan<'a> {
    #[serde(borrow)]
    target: Text<'a, BAN_TARGET_BYTES_MAX>,
    until: Option<UnixSeconds>,
    is_lifted: bool,
}

impl BanRecord {
    /// Returns the key.
    pub fn key(&self) -> EntryKey {
        EntryKey::Ban(Sha256::digest(self.target.as_bytes()).into())
    }

    /// Returns the operation that writes the record in place of the one with a revision. The entry
    /// ends with the ban.
    pub fn put(&self, now: UnixSeconds, expected: Option<Revision>) -> Operation {
        let lifetime = match self.is_lifted {
            true => Some(LIFTED_BAN_TIME),
            false => self.until.map(|until| Duration::from_secs(until.saturating_sub(now).max(1))),
        };
        Operation::Put { key: self.key(), value: self.encode(), expected, lifetime }
    }

    fn encode(&self) -> Bytes {
        let (until, is_lifted) = (self.until, self.is_lifted);
        encode(&WireBan { target: Text(&self.target), until, is_lifted })
    }

    /// Returns the record of a value; `None` if it is malformed.
    pub fn decode(value: &[u8]) -> Option<Self> {
        let WireBan { target, until, is_lifted } = decode(value)?;
        Some(Self { target: target.0.to_owned(), until, is_lifted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(until: Option<UnixSeconds>, is_lifted: bool) -> BanRecord {
        BanRecord { target: "player kay".to_owned(), until, is_lifted }
    }

    #[test]
    fn record_survives_encoding_and_its_entry_ends_with_the_ban() {
        for (record, expected) in [
            (ban(None, false), None),
            (ban(Some(160), false), Some(60)),
            (ban(Some(90), false), Some(1)),
            (ban(None, true), Some(LIFTED_BAN_TIME.as_secs())),
        ] {
            let Operation::Put { key, value, lifetime, .. } = record.put(100, None) else {
                panic!("not written");
            };
            assert_eq!(BanRecord::decode(&value), Some(record.clone()));
            assert_eq!(lifetime.map(|it| it.as_secs()), expected);
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        assert_eq!(ban(None, true).key(), ban(Some(7), false).key());
        assert_eq!(BanRecord::decode(&[]), None);
    }
}
