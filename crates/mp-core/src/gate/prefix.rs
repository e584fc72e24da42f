//! [`AddressPrefix`]: an IP address or a network.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An IP address or a network, such as `192.0.2.1`, `198.51.100.0/24` or `2001:db8::/32`. An IPv4
/// address that is mapped to IPv6 is an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressPrefix {
    address: IpAddr,
    bits: u8,
}

/// A text that is no [`AddressPrefix`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an IP address nor a network such as 198.51.100.0/24 or 2001:db8::/32")]
pub struct ParsePrefixError(String);

impl AddressPrefix {
    /// Returns the network of `address` with `bits` bits, at most all of them. Further bits of the
    /// address are cleared.
    pub fn new(address: IpAddr, bits: u8) -> Self {
        match address {
            IpAddr::V4(address) => {
                let bits = bits.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                Self { address: IpAddr::from((address.to_bits() & mask).to_be_bytes()), bits }
            }
            IpAddr::V6(address) => {
                if let (Some(address), 96..) = (address.to_ipv4_mapped(), bits) {
                    return Self::new(address.into(), bits - 96);
                }
                let bits = bits.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                Self { address: IpAddr::from((address.to_bits() & mask).to_be_bytes()), bits }
            }
        }
    }

    /// Returns the prefix that a provider gives to one customer: an IPv4 address, or an IPv6
    /// network of 64 bits. Limits per address count by it.
    pub fn of_customer(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::new(address.into(), 32),
            IpAddr::V6(address) => Self::new(address.into(), 64),
        }
    }

    /// Returns the first address.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// Returns the number of bits.
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// Returns whether an address belongs to the network.
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && Self::new(address, self.bits) == self
    }
}

/// Returns whether any of the prefixes contains a canonical address.
pub(super) fn contains(prefixes: &BTreeSet<AddressPrefix>, address: IpAddr) -> bool {
    let most = if address.is_ipv4() { 32 } else { 128 };
    (0..=most).any(|bits| prefixes.contains(&AddressPrefix::new(address, bits)))
}

impl From<IpAddr> for AddressPrefix {
    fn from(address: IpAddr) -> Self {
        Self::new(address, 128)
    }
}

impl FromStr for AddressPrefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, ParsePrefixError> {
        let error = || ParsePrefixError(text.chars().take(64).collect());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| error())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        match bits {
            None => Ok(address.into()),
            Some(bits) if bits <= most => Ok(Self::new(address, bits)),
            Some(_) => Err(error()),
        }
    }
}

impl fmt::Display for AddressPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.bits) {
            (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128) => self.address.fmt(f),
            (address, bits) => write!(f, "{address}/{bits}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_is_read_from_its_own_text() {
        for (text, shown) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1/32", "192.0.2.1"),
            ("192.0.2.77/24", "192.0.2.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1/120", "192.0.2.0/24"),
        ] {
            let prefix: AddressPrefix = text.parse().unwrap();
            assert_eq!(prefix.to_string(), shown);
            assert_eq!(shown.parse(), Ok(prefix));
        }
        for wrong in ["", "192.0.2", "192.0.2.1/33", "::/129", "::/", "a/8", "1.2.3.4/-1"] {
            assert!(wrong.parse::<AddressPrefix>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn networks_of_one_family_do_not_contain_the_other() {
        let all = |text: &str| text.parse::<AddressPrefix>().unwrap();
        assert!(all("0.0.0.0/0").contains("203.0.113.9".parse().unwrap()));
        assert!(!all("0.0.0.0/0").contains("2001:db8::1".parse().unwrap()));
        assert!(all("::/0").contains("2001:db8::1".parse().unwrap()));
        assert!(!all("::/0").contains("203.0.113.9".parse().unwrap()));
    }
}
