//! Addresses as people name them: by an address or by the interface that has it.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

/// Longest name of an interface, bytes (`IFNAMSIZ` without the final zero).
const LONGEST_INTERFACE: usize = 15;

/// An address, or the interface whose address is meant. Written like `192.0.2.1`, `2001:db8::1` or
/// `eth0`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostAddress {
    /// This one.
    Address(IpAddr),
    /// The one of this interface, in the agent's network namespace.
    Interface(String),
}

/// The same with a port. Written like `192.0.2.1:2377`, `[2001:db8::1]:2377`, `eth0:2377`, or without
/// the port.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPort {
    /// Where.
    pub host: HostAddress,
    /// TCP port; `None`: the usual one.
    pub port: Option<u16>,
}

/// The text names no address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddressError {
    /// Neither an address nor a name that an interface could have.
    #[error("`{text}` is neither an address nor an interface; write one like 192.0.2.1 or eth0")]
    Host {
        /// What was given.
        text: String,
    },
    /// Neither an address nor a host name.
    #[error(
        "`{text}` names no manager; write its address or host name and port, like 192.0.2.1:2377"
    )]
    Remote {
        /// What was given.
        text: String,
    },
    /// The part behind the colon is no port.
    #[error("`{text}` is no port; choose one from 1 to 65535")]
    Port {
        /// What was given.
        text: String,
    },
}

impl FromStr for HostAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '[' | ']');
        // An interface may be called `10.0.0`, but whoever writes so means an address.
        let is_name = text.chars().any(|c| c.is_ascii_alphabetic());
        if text.len() <= LONGEST_INTERFACE && is_name && text.chars().all(is_plain) {
            Ok(Self::Interface(text.to_owned()))
        } else {
            let text = text.to_owned();
            Err(AddressError::Host { text })
        }
    }
}

impl FromStr for HostPort {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Ok(host) = text.parse() {
            return Ok(Self { host, port: None });
        }
        let wrong = || AddressError::Host {
            text: text.to_owned(),
        };
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(wrong)?,
            None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
        };
        let host: HostAddress = host.parse().map_err(|_unnamed| wrong())?;
        let port = match port.strip_prefix(':') {
            Some(port) => Some(parse_port(port)?),
            None if port.is_empty() => None,
            None => return Err(wrong()),
        };
        Ok(Self { host, port })
    }
}

/// A port that can be connected to.
pub(crate) fn parse_port(text: &str) -> Result<u16, AddressError> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| AddressError::Port {
        text: text.to_owned(),
    })
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Interface(name) => f.pad(name),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.port) {
            (host, None) => host.fmt(f),
            (HostAddress::Address(IpAddr::V6(address)), Some(port)) => {
                write!(f, "[{address}]:{port}")
            }
            (host, Some(port)) => write!(f, "{host}:{port}"),
        }
    }
}

impl TryFrom<String> for HostAddress {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<HostAddress> for String {
    fn from(host: HostAddress) -> Self {
        host.to_string()
    }
}

impl TryFrom<String> for HostPort {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<HostPort> for String {
    fn from(place: HostPort) -> Self {
        place.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        for (text, port) in [
            ("192.0.2.1", None),
            ("192.0.2.1:2377", Some(2377)),
            ("2001:db8::1", None),
            ("[2001:db8::1]:2377", Some(2377)),
            ("eth0", None),
            ("eth0.7:9", Some(9)),
        ] {
            let place: HostPort = text.parse().unwrap();

            assert_eq!(place.port, port, "{text}");
            assert_eq!(place.to_string(), text);
        }
        let bare: HostPort = "[::1]".parse().unwrap();
        assert_eq!(bare.to_string(), "::1");
    }

    #[test]
    fn interfaces_are_told_from_addresses() {
        let address = HostAddress::Address("10.0.0.1".parse().unwrap());

        assert_eq!("10.0.0.1".parse(), Ok(address));
        assert_eq!(
            "eth0".parse(),
            Ok(HostAddress::Interface("eth0".to_owned()))
        );
    }

    #[test]
    fn the_rest_is_refused() {
        for text in [
            "",
            "10.0.0",
            "10.0.0.256",
            "10.0.0.0/24",
            ":2377",
            "eth0:",
            "eth0:0",
            "eth0:65536",
            "eth0:http",
            "an-interface-with-a-long-name",
            "a b",
            "[::1",
            "[::1]x",
            "::1:x",
        ] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]:.a-f0-9/ ]{0,20}") {
            if let Ok(place) = text.parse::<HostPort>() {
                prop_assert_eq!(place.to_string().parse(), Ok(place));
            }
        }
    }
}
