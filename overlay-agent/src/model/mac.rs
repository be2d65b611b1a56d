//! Ethernet addresses.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize, de};

/// An Ethernet address, written `02:42:0a:01:00:05`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct MacAddress(pub [u8; 6]);

/// The text is not six hexadecimal bytes with colons between them.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is no Ethernet address; write six hexadecimal bytes like 02:42:0a:01:00:05")]
pub struct ParseMacError {
    /// What was given.
    pub text: String,
}

impl MacAddress {
    /// The address of an endpoint that was given none: `02:42:` and the last four bytes of its IP
    /// address.
    pub fn derived(address: IpAddr) -> Self {
        let octets = match address {
            IpAddr::V4(v4) => v4.octets(),
            IpAddr::V6(v6) => {
                let [.., a, b, c, d] = v6.octets();
                [a, b, c, d]
            }
        };
        let [a, b, c, d] = octets;
        Self([0x02, 0x42, a, b, c, d])
    }

    /// Whether one host alone can have it: neither multicast nor zero.
    pub fn is_unicast(self) -> bool {
        self.0[0] & 1 == 0 && self.0 != [0; 6]
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|byte| write!(f, ":{byte:02x}"))
    }
}

impl FromStr for MacAddress {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseMacError {
            text: text.to_owned(),
        };
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|part| part.len() == 2)
                .ok_or_else(error)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_not_hex| error())?;
        }
        if parts.next().is_some() {
            return Err(error());
        }
        Ok(Self(bytes))
    }
}

impl Serialize for MacAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_agree() {
        let mac: MacAddress = "02:42:0a:01:00:c8".parse().unwrap();

        assert_eq!(mac, MacAddress::derived("10.1.0.200".parse().unwrap()));
        assert_eq!(mac.to_string(), "02:42:0a:01:00:c8");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "02:42",
            "02:42:0a:01:00:c8:01",
            "2:42:0a:01:00:c8",
            "02-42-0a-01-00-c8",
            "02:42:0a:01:00:zz",
        ] {
            assert!(text.parse::<MacAddress>().is_err(), "{text}");
        }
    }
}
