//! IPv4 and IPv6 addresses as one 16-byte key, and Ethernet addresses.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::shared::shared;

shared! {
    /// An IP address; IPv4 is kept IPv4-mapped (`::ffff:a.b.c.d`), so that one table and one lookup serve
    /// both families. Two words instead of 16 bytes: the verifier insists on aligned access to the stack,
    /// where programs put keys together, and words compare at once.
    pub struct Address [16] {
        /// The address as it stands in memory, most significant byte first: not numbers to count with.
        pub words: [u64; 2],
    }
}

impl Address {
    /// `::`, which stands for "none".
    pub const UNSPECIFIED: Self = Self { words: [0; 2] };

    /// The key of an IPv4 address in network byte order.
    #[inline(always)]
    pub const fn from_v4(v4: [u8; 4]) -> Self {
        let [a, b, c, d] = v4;
        Self {
            words: [0, u64::from_ne_bytes([0, 0, 0xff, 0xff, a, b, c, d])],
        }
    }

    /// The key of an IPv6 address in network byte order.
    #[inline(always)]
    pub const fn from_v6(v6: [u8; 16]) -> Self {
        let (&[first, second], _) = v6.as_chunks::<8>() else {
            return Self::UNSPECIFIED;
        };
        Self {
            words: [u64::from_ne_bytes(first), u64::from_ne_bytes(second)],
        }
    }

    /// All 16 bytes in network byte order.
    #[inline(always)]
    pub const fn bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let (first, second) = bytes.split_at_mut(8);
        first.copy_from_slice(&self.words[0].to_ne_bytes());
        second.copy_from_slice(&self.words[1].to_ne_bytes());
        bytes
    }

    /// The last four bytes: the IPv4 address itself where this is one.
    #[inline(always)]
    pub const fn last_four(&self) -> [u8; 4] {
        let [.., a, b, c, d] = self.words[1].to_ne_bytes();
        [a, b, c, d]
    }

    /// Whether this is an IPv4 address.
    #[inline(always)]
    pub const fn is_v4(&self) -> bool {
        let [a, b, c, d, ..] = self.words[1].to_ne_bytes();
        self.words[0] == 0 && u32::from_be_bytes([a, b, c, d]) == 0xffff
    }

    /// Whether this is `::`, "none".
    #[inline(always)]
    pub const fn is_unspecified(&self) -> bool {
        self.words[0] == 0 && self.words[1] == 0
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::from_v4(v4.octets()),
            IpAddr::V6(v6) => Self::from_v6(v6.octets()),
        }
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        if address.is_v4() {
            Self::V4(Ipv4Addr::from(address.last_four()))
        } else {
            Self::V6(Ipv6Addr::from(address.bytes()))
        }
    }
}

/// An Ethernet address as it stands on the wire.
pub type Mac = [u8; 6];

/// The Ethernet address of an endpoint that was given none: `02:42:` and the last four bytes of its
/// address, as Docker derives it.
#[inline(always)]
pub const fn derived_mac(address: &Address) -> Mac {
    let [a, b, c, d] = address.last_four();
    [0x02, 0x42, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_survive_the_round_trip() {
        for text in ["10.1.2.3", "0.0.0.0", "fd00::1", "::", "fe80::42"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(IpAddr::from(Address::from(address)), address);
        }
    }

    #[test]
    fn a_derived_mac_ends_with_the_address() {
        let address = Address::from_v4([10, 1, 0, 200]);

        assert_eq!(derived_mac(&address), [0x02, 0x42, 10, 1, 0, 200]);
    }
}
