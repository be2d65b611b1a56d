//! Identifiers that the cluster gives: 25 digits in base 36, as Docker's.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::base36;

/// Digits of an identifier: enough for 128 bits in base 36.
const DIGITS: usize = 25;

/// As many of them as make a number of 64 bits.
const PART: usize = 12;

/// How many numbers of so many digits there are.
const PART_RANGE: u128 = 36_u128.pow(12);

/// The text is no identifier.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{text}` is no identifier: one has 25 digits and small letters")]
pub struct IdError {
    /// What was given.
    pub text: String,
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u128);

        impl $name {
            /// The identifier of 128 random bits.
            pub const fn from_random(bits: u128) -> Self {
                Self(bits)
            }

            /// The 128 bits.
            pub fn bits(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&digits(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

identifier! {
    /// A cluster: one `swarm init` and all that joined.
    ClusterId
}

identifier! {
    /// A node, for as long as it is in the cluster.
    NodeId
}

identifier! {
    /// A network of the cluster.
    NetworkId
}

identifier! {
    /// A service of the cluster.
    ServiceId
}

identifier! {
    /// A request to the managers. The same one again is the same request, whoever answers it.
    RequestId
}

/// Unlike a token, an identifier is no secret, and a view is written with tens of thousands of them: it is taken apart
/// in as few steps as can be.
fn digits(bits: u128) -> String {
    let mut text = [0; DIGITS];
    let mut rest = bits;
    for part in text.rchunks_mut(PART) {
        let mut number = (rest % PART_RANGE) as u64;
        rest /= PART_RANGE;
        for digit in part.iter_mut().rev() {
            *digit = base36::DIGITS[(number % 36) as usize];
            number /= 36;
        }
    }
    text.into_iter().map(char::from).collect()
}

fn parse(text: &str) -> Result<u128, IdError> {
    let number = base36::decode(text, DIGITS).map_err(|_wrong| IdError {
        text: text.to_owned(),
    })?;
    Ok(u128::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for bits in [
            0,
            1,
            35,
            36,
            PART_RANGE - 1,
            PART_RANGE,
            PART_RANGE * PART_RANGE,
            u128::MAX,
        ] {
            let id = NodeId::from_random(bits);

            assert_eq!(id.to_string().len(), DIGITS);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for text in ["", "0", &"z".repeat(25), &"A".repeat(25), &"0".repeat(26)] {
            assert!(text.parse::<NetworkId>().is_err(), "{text}");
        }
    }
}
