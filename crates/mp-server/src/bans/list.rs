//! [`Bans`]: banned addresses and networks, without I/O.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mp_core::{AddressPrefix, ConnectionGate, UnixSeconds};

/// Banned addresses and networks with the times at which the bans end; `None`: never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bans(BTreeMap<AddressPrefix, Option<UnixSeconds>>);

impl Bans {
    /// Bans a prefix, or changes its end. Returns false if there are too many bans.
    pub(crate) fn insert(&mut self, prefix: AddressPrefix, until: Option<UnixSeconds>) -> bool {
        let fits = self.0.len() < BANS_MAX || self.0.contains_key(&prefix);
        if fits {
            self.0.insert(prefix, until);
        }
        fits
    }

    /// Ends a ban. Returns false if there is none of exactly this prefix.
    pub(crate) fn remove(&mut self, prefix: AddressPrefix) -> bool {
        self.0.remove(&prefix).is_some()
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

    /// Returns all bans, in the order of their addresses.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (AddressPrefix, Option<UnixSeconds>)> {
        self.0.iter().map(|(&prefix, &until)| (prefix, until))
    }

    /// Returns the text of a file with the bans.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for (prefix, until) in &self.0 {
            let _ = match until {
                Some(until) => writeln!(text, "{prefix} {until}"),
                None => writeln!(text, "{prefix} {NEVER}"),
            };
        }
        let _ = writeln!(text, "{END} {}", self.0.len());
        text
    }

    /// Reads the text of a file. The error is a message with the number of the line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err(format!("line 1 is not {HEADER:?}"));
        }
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
            let prefix = first.parse::<AddressPrefix>().map_err(|_| wrong())?;
            let until = match second {
                NEVER => None,
                until => Some(until.parse().map_err(|_| wrong())?),
            };
            if !bans.insert(prefix, until) {
                return Err(format!("there are more than {BANS_MAX} bans"));
            }
        }
        Err("the end is missing".to_owned())
    }
}

/// Maximum number of bans.
pub(crate) const BANS_MAX: usize = ConnectionGate::PREFIXES_MAX;
/// First line of a file: the format and its version.
const HEADER: &str = "mp-server bans 1";
/// Begin of the last line, before the number of bans. It shows that the file is complete.
const END: &str = "end";
/// End of a ban without one.
const NEVER: &str = "never";

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> AddressPrefix {
        text.parse().unwrap()
    }

    fn some_bans() -> Bans {
        let mut bans = Bans::default();
        assert!(bans.insert(prefix("192.0.2.1"), Some(100)));
        assert!(bans.insert(prefix("2001:db8::/32"), None));
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
        for (from, to) in [(" 1\n", " 2\n"), ("192", "392"), ("100", "1x"), ("end 2", "end 3")] {
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
        assert_eq!(bans.iter().collect::<Vec<_>>(), [(prefix("2001:db8::/32"), None)]);
        assert_eq!(bans.next_end(), None);
        assert!(bans.remove(prefix("2001:db8::/32")) && !bans.remove(prefix("2001:db8::/32")));
    }

    #[test]
    fn number_of_bans_is_bounded() {
        let mut bans = Bans::default();
        for number in 0..BANS_MAX as u32 {
            assert!(
                bans.insert(
                    AddressPrefix::from(std::net::IpAddr::from(number.to_be_bytes())),
                    None
                )
            );
        }
        assert!(!bans.insert(prefix("255.0.0.1"), None));
        assert!(bans.insert(prefix("0.0.0.1"), Some(1)), "an existing ban changes");
    }
}
