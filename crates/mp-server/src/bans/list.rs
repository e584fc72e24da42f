//! [`Bans`]: banned addresses, networks and players, without I/O.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::str::FromStr;

use mp_core::{AddressPrefix, ConnectionGate, UnixSeconds};
use mp_identity::Subject;

/// Someone who is banned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BanTarget {
    /// All players of an address or a network.
    Address(AddressPrefix),
    /// A player, by its subject.
    Player(Subject),
}

/// Writes the target as a word and the subject, or as an address or network.
impl fmt::Display for BanTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(prefix) => prefix.fmt(f),
            Self::Player(subject) => write!(f, "{PLAYER} {}", subject.as_str()),
        }
    }
}

impl FromStr for BanTarget {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.strip_prefix(PLAYER).and_then(|rest| rest.strip_prefix(' ')) {
            Some(subject) => subject.parse().map(Self::Player).map_err(drop),
            None => text.parse().map(Self::Address).map_err(drop),
        }
    }
}

/// Bans with the times at which they end; `None`: never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bans(BTreeMap<BanTarget, Option<UnixSeconds>>);

impl Bans {
    /// Bans `target`, or changes the end of its ban. Returns false if there are too many bans.
    pub(crate) fn insert(&mut self, target: BanTarget, until: Option<UnixSeconds>) -> bool {
        let fits = self.0.len() < BANS_MAX || self.0.contains_key(&target);
        if fits {
            self.0.insert(target, until);
        }
        fits
    }

    /// Returns the end of a ban; `None` if there is no ban of exactly this target.
    pub(super) fn get(&self, target: &BanTarget) -> Option<Option<UnixSeconds>> {
        self.0.get(target).copied()
    }

    /// Returns the bans, in the order of their targets.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&BanTarget, Option<UnixSeconds>)> {
        self.0.iter().map(|(target, &until)| (target, until))
    }

    /// Ends a ban. Returns false if there is none of exactly this target.
    pub(crate) fn remove(&mut self, target: &BanTarget) -> bool {
        self.0.remove(target).is_some()
    }

    /// Removes the bans that have ended. Returns whether there were any.
    pub(crate) fn remove_ended(&mut self, now: UnixSeconds) -> bool {
        let before = self.0.len();
        self.0.retain(|_, until| until.is_none_or(|until| now < until));
        self.0.len() < before
    }

    /// Returns the time at which the next ban ends.
    pub(crate) fn next_end(&self) -> Option<UnixSeconds> {
        self.0.values().flatten().min().copied()
    }

    /// Returns the bans of addresses, in their order.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (AddressPrefix, Option<UnixSeconds>)> {
        self.0.iter().filter_map(|(target, &until)| match target {
            BanTarget::Address(prefix) => Some((*prefix, until)),
            BanTarget::Player(_) => None,
        })
    }

    /// Returns the bans of players, in the order of their subjects.
    pub(crate) fn players(&self) -> impl Iterator<Item = (&Subject, Option<UnixSeconds>)> {
        self.0.iter().filter_map(|(target, &until)| match target {
            BanTarget::Address(_) => None,
            BanTarget::Player(subject) => Some((subject, until)),
        })
    }

    /// Returns the text of a file with the bans.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for (target, until) in &self.0 {
            let until = until.map_or_else(|| NEVER.to_owned(), |until| until.to_string());
            let _ = match target {
                BanTarget::Address(prefix) => writeln!(text, "{prefix} {until}"),
                BanTarget::Player(subject) => writeln!(text, "{PLAYER} {until} {subject}"),
            };
        }
        let _ = writeln!(text, "{END} {}", self.0.len());
        text
    }

    /// Reads the text of a file. The error is a message with the number of the line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let has_players = match lines.next() {
            Some(HEADER) => true,
            Some(HEADER_1) => false,
            _ => return Err(format!("line 1 is not {HEADER:?}")),
        };
        let mut bans = Self::default();
        for (number, line) in (2..).zip(&mut lines) {
            let wrong = || format!("line {number} is neither a ban nor the end");
            let (first, second) = line.split_once(' ').ok_or_else(wrong)?;
            if first == END {
                if second != bans.0.len().to_string() {
                    return Err(format!("line {number} does not match the number of bans"));
                }
                return match lines.next() {
                    None => Ok(bans),
                    Some(_) => Err(format!("lines follow line {number}, which is the end")),
                };
            }
            let (target, until) = if first == PLAYER && has_players {
                let (until, subject) = second.split_once(' ').ok_or_else(wrong)?;
                (BanTarget::Player(subject.parse().map_err(|_| wrong())?), until)
            } else {
                (BanTarget::Address(first.parse().map_err(|_| wrong())?), second)
            };
            let until = match until {
                NEVER => None,
                until => Some(until.parse().map_err(|_| wrong())?),
            };
            if !bans.insert(target, until) {
                return Err(format!("there are more than {BANS_MAX} bans"));
            }
        }
        Err("the end is missing".to_owned())
    }
}

/// Maximum number of bans.
pub(crate) const BANS_MAX: usize = ConnectionGate::PREFIXES_MAX;
/// First line of a file: the format and its version.
const HEADER: &str = "mp-server bans 2";
/// First line of a file of version 1, which has no bans of players.
const HEADER_1: &str = "mp-server bans 1";
/// Begin of the line of a banned player, before the end of the ban and the subject.
const PLAYER: &str = "player";
/// Begin of the last line, before the number of bans. It shows that the file is complete.
const END: &str = "end";
/// End of a ban without one.
const NEVER: &str = "never";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_from_their_texts() {
        for text in ["192.0.2.0/24", "2001:db8::1", "player kay", "player player 1"] {
            assert_eq!(text.parse::<BanTarget>().unwrap().to_string(), text);
        }
        for text in ["", "kay", "player", "player ", "192.0.2.0/33"] {
            assert!(text.parse::<BanTarget>().is_err(), "{text}");
        }
    }

    fn prefix(text: &str) -> BanTarget {
        BanTarget::Address(text.parse().unwrap())
    }

    fn player(text: &str) -> BanTarget {
        BanTarget::Player(Subject::new(text).unwrap())
    }

    fn some_bans() -> Bans {
        let mut bans = Bans::default();
        assert!(bans.insert(prefix("192.0.2.1"), Some(100)));
        assert!(bans.insert(prefix("2001:db8::/32"), None));
        assert!(bans.insert(player("kay 7 never"), Some(200)));
        assert!(bans.insert(player("end"), None));
        bans
    }

    #[test]
    fn bans_are_read_from_their_own_text() {
        for bans in [Bans::default(), some_bans()] {
            assert_eq!(Bans::parse(&bans.to_text()), Ok(bans));
        }
    }

    #[test]
    fn damaged_text_is_refused_as_a_whole() {
        let text = some_bans().to_text();
        for end in (0..text.len() - 1).filter(|&end| text.is_char_boundary(end)) {
            assert!(Bans::parse(&text[..end]).is_err(), "{:?}", &text[..end]);
        }
        for (from, to) in [
            ("bans 2", "bans 1"),
            ("bans 2", "bans 3"),
            ("192", "392"),
            ("100", "1x"),
            ("player 200", "player 2x"),
            ("end 4", "end 3"),
        ] {
            assert!(Bans::parse(&text.replacen(from, to, 1)).is_err(), "{from:?} → {to:?}");
        }
        assert!(Bans::parse(&format!("{text}more\n")).is_err());
    }

    #[test]
    fn bans_end_at_their_time() {
        let mut bans = some_bans();
        assert_eq!(bans.next_end(), Some(100));
        assert!(!bans.remove_ended(99));
        assert!(bans.remove_ended(100));
        let rest = "2001:db8::/32".parse().unwrap();
        assert_eq!(bans.addresses().collect::<Vec<_>>(), [(rest, None)]);
        assert_eq!((bans.players().count(), bans.next_end()), (2, Some(200)));
        assert!(bans.remove_ended(200));
        let end = Subject::new("end").unwrap();
        assert_eq!(bans.players().collect::<Vec<_>>(), [(&end, None)]);
        assert_eq!(bans.next_end(), None);
        let prefix = prefix("2001:db8::/32");
        assert!(bans.remove(&prefix) && !bans.remove(&prefix));
    }

    #[test]
    fn file_of_the_first_version_is_read() {
        let bans = Bans::parse("mp-server bans 1\n192.0.2.1 100\nend 1\n").unwrap();
        let banned = "192.0.2.1".parse().unwrap();
        assert_eq!(bans.addresses().collect::<Vec<_>>(), [(banned, Some(100))]);
        assert!(bans.to_text().starts_with("mp-server bans 2\n"));
    }

    #[test]
    fn number_of_bans_is_bounded() {
        let mut bans = Bans::default();
        for number in 0..BANS_MAX as u32 {
            assert!(bans.insert(
                BanTarget::Address(std::net::IpAddr::from(number.to_be_bytes()).into()),
                None
            ));
        }
        assert!(!bans.insert(prefix("255.0.0.1"), None));
        assert!(bans.insert(prefix("0.0.0.1"), Some(1)), "an existing ban changes");
    }
}
