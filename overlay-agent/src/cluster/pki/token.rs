//! What lets a host into the cluster: `SWMTKN-1-<root>-<secret>`.
//!
//! The first part tells the host which root to trust before it says anything, the second tells the
//! managers that the host may come in, and as what.

use std::{fmt, str::FromStr};

use subtle::{Choice, ConstantTimeEq as _};
use zeroize::{Zeroize as _, Zeroizing};

use super::{RootDigest, digest::DIGITS as DIGEST_DIGITS};
use crate::model::{
    Role,
    base36::{self, Wrong},
};

const MAGIC: &str = "SWMTKN";
const VERSION: &str = "1";
/// Enough for 128 bits.
const SECRET_DIGITS: usize = 25;

/// A token that is well written; whether it is accepted, [`JoinTokens`] say.
#[derive(Clone)]
pub struct JoinToken {
    digest: RootDigest,
    /// Big-endian.
    secret: [u8; 16],
}

/// The tokens that a cluster accepts.
#[derive(Clone, Debug)]
pub struct JoinTokens {
    /// Makes a worker.
    pub worker: JoinToken,
    /// Makes a manager.
    pub manager: JoinToken,
}

/// A text that is no token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenError {
    /// It is something else.
    #[error(
        "this is no join token: one begins with SWMTKN-1-; `overlay swarm join-token worker` on a \
         manager prints it"
    )]
    NotAToken,
    /// It has another form.
    #[error(
        "the join token is of version `{version}`, this overlay knows version 1; use one version of \
         overlay on all nodes"
    )]
    WrongVersion {
        /// What it says.
        version: String,
    },
    /// Its end is missing.
    #[error(
        "the join token is truncated: {part} has {digits} of {wanted} digits; copy all of the line \
         that `overlay swarm join-token` prints"
    )]
    Truncated {
        /// Which part ends too early.
        part: &'static str,
        /// How many digits it has.
        digits: usize,
        /// How many it should have.
        wanted: usize,
    },
    /// There is more than a token.
    #[error(
        "the join token is too long: {part} has {digits} characters instead of {wanted} digits"
    )]
    TooLong {
        /// Which part goes on.
        part: &'static str,
        /// How many characters it has.
        digits: usize,
        /// How many it should have.
        wanted: usize,
    },
    /// A character that tokens do not have.
    #[error(
        "the join token is mistyped: character {position} of {part} is `{found}`; only digits and \
         small letters are used"
    )]
    WrongDigit {
        /// In which part.
        part: &'static str,
        /// Where in it, from 1.
        position: usize,
        /// The character.
        found: char,
    },
    /// No such number is ever given.
    #[error("the join token is mistyped: {part} is greater than any that is given")]
    TooGreat {
        /// Which part.
        part: &'static str,
    },
}

/// Why a well written token does not open the door.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenRefusal {
    /// It names another root.
    #[error(
        "the join token is for another certificate authority: it is another cluster's, or the CA was \
         rotated since; `overlay swarm join-token` on a manager prints the valid one"
    )]
    OtherAuthority,
    /// The secret is none of ours.
    #[error(
        "the join token is not valid: it was rotated, or it is mistyped; `overlay swarm join-token` \
         on a manager prints the valid one"
    )]
    WrongSecret,
}

impl JoinToken {
    /// The token of 128 random bits for the cluster with this root.
    pub fn from_random(digest: RootDigest, bits: u128) -> Self {
        Self {
            digest,
            secret: bits.to_be_bytes(),
        }
    }

    /// Which root its owner trusts.
    pub fn digest(&self) -> RootDigest {
        self.digest
    }

    /// The same secret with another root, as after a rotation of the authority.
    #[must_use]
    pub fn with_digest(&self, digest: RootDigest) -> Self {
        Self {
            digest,
            secret: self.secret,
        }
    }

    /// The token as it is typed. Whoever has it may join.
    pub fn reveal(&self) -> Zeroizing<String> {
        let secret = base36::encode(Zeroizing::new(self.secret.to_vec()), SECRET_DIGITS);
        let digest = self.digest;
        Zeroizing::new(format!("{MAGIC}-{VERSION}-{digest}-{}", *secret))
    }

    fn same_secret(&self, other: &Self) -> Choice {
        self.secret.ct_eq(&other.secret)
    }
}

impl JoinTokens {
    /// What the host with this token becomes. How long this takes tells nothing about the secrets.
    ///
    /// # Errors
    /// It becomes nothing.
    pub fn role_of(&self, presented: &JoinToken) -> Result<Role, TokenRefusal> {
        let worker = presented.same_secret(&self.worker);
        let manager = presented.same_secret(&self.manager);
        let digest = presented.digest;
        if digest != self.worker.digest && digest != self.manager.digest {
            Err(TokenRefusal::OtherAuthority)
        } else if bool::from(manager) {
            Ok(Role::Manager)
        } else if bool::from(worker) {
            Ok(Role::Worker)
        } else {
            Err(TokenRefusal::WrongSecret)
        }
    }
}

impl FromStr for JoinToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let mut parts = text.trim().splitn(4, '-');
        if parts.next() != Some(MAGIC) {
            return Err(TokenError::NotAToken);
        }
        let version = parts.next().unwrap_or_default();
        if version != VERSION {
            return Err(TokenError::WrongVersion {
                version: version.to_owned(),
            });
        }
        let digest = number::<32>("the digest", parts.next(), DIGEST_DIGITS)?;
        let secret = number::<16>("the secret", parts.next(), SECRET_DIGITS)?;
        Ok(Self {
            digest: RootDigest::from_bytes(*digest),
            secret: *secret,
        })
    }
}

impl Drop for JoinToken {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl fmt::Debug for JoinToken {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken")
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

fn number<const BYTES: usize>(
    part: &'static str,
    text: Option<&str>,
    wanted: usize,
) -> Result<Zeroizing<[u8; BYTES]>, TokenError> {
    base36::decode(text.unwrap_or_default(), wanted).map_err(|wrong| match wrong {
        Wrong::Short(digits) => TokenError::Truncated {
            part,
            digits,
            wanted,
        },
        Wrong::Long(digits) => TokenError::TooLong {
            part,
            digits,
            wanted,
        },
        Wrong::Digit { position, found } => TokenError::WrongDigit {
            part,
            position,
            found,
        },
        Wrong::TooGreat => TokenError::TooGreat { part },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn root(byte: u8) -> RootDigest {
        RootDigest::from_bytes([byte; 32])
    }

    fn tokens() -> JoinTokens {
        JoinTokens {
            worker: JoinToken::from_random(root(7), 1),
            manager: JoinToken::from_random(root(7), 2),
        }
    }

    #[test]
    fn a_token_looks_like_dockers() {
        let text = JoinToken::from_random(root(0xff), u128::MAX).reveal();

        let parts: Vec<_> = text.split('-').map(str::len).collect();
        assert!(text.starts_with("SWMTKN-1-"), "{}", *text);
        assert_eq!(parts, [6, 1, 50, 25]);
    }

    #[test]
    fn the_secret_decides_the_role() {
        let role = |digest, bits| tokens().role_of(&JoinToken::from_random(root(digest), bits));

        assert_eq!(role(7, 1), Ok(Role::Worker));
        assert_eq!(role(7, 2), Ok(Role::Manager));
        assert_eq!(role(7, 3), Err(TokenRefusal::WrongSecret));
        assert_eq!(role(8, 1), Err(TokenRefusal::OtherAuthority));
    }

    #[test]
    fn every_truncation_says_what_is_missing() {
        let text = JoinToken::from_random(root(7), 9).reveal();
        let digest_begins = "SWMTKN-1-".len();
        let secret_begins = digest_begins + DIGEST_DIGITS + 1;
        for length in 0..text.len() {
            let error = text[..length].parse::<JoinToken>().unwrap_err();
            match length {
                0..=5 => assert_eq!(error, TokenError::NotAToken),
                6..=7 => assert!(matches!(error, TokenError::WrongVersion { .. }), "{error}"),
                _ if length < secret_begins - 1 => assert_eq!(
                    error,
                    TokenError::Truncated {
                        part: "the digest",
                        digits: length.saturating_sub(digest_begins),
                        wanted: 50,
                    }
                ),
                _ => assert_eq!(
                    error,
                    TokenError::Truncated {
                        part: "the secret",
                        digits: length.saturating_sub(secret_begins),
                        wanted: 25,
                    }
                ),
            }
        }
    }

    #[test]
    fn mistakes_are_named() {
        let text = JoinToken::from_random(root(7), 9).reveal();
        let error = |text: &str| text.parse::<JoinToken>().unwrap_err().to_string();

        assert!(error(&text.replace("-1-", "-2-")).contains("version `2`"));
        assert!(error(&format!("{}0", *text)).contains("too long"));
        assert!(error(&text.to_lowercase()).contains("no join token"));
        let mistyped = format!("{}A", &text[..text.len() - 1]);
        assert!(error(&mistyped).contains("character 25 of the secret is `A`"));
        let great = format!("SWMTKN-1-{}-{}", "z".repeat(50), "0".repeat(25));
        assert!(error(&great).contains("the digest is greater"));
    }

    #[test]
    fn debug_hides_the_secret() {
        let tokens = JoinTokens {
            worker: JoinToken::from_random(root(7), u128::MAX),
            manager: JoinToken::from_random(root(7), u128::MAX),
        };

        let shown = format!("{tokens:?}");

        assert!(!shown.contains("255") && !shown.contains("f5lx"), "{shown}");
        assert!(shown.contains(&root(7).to_string()));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(digest: [u8; 32], secret: u128) {
            let token = JoinToken::from_random(RootDigest::from_bytes(digest), secret);

            let read: JoinToken = token.reveal().parse().unwrap();

            prop_assert_eq!(read.digest(), token.digest());
            prop_assert!(bool::from(read.same_secret(&token)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(SWMTKN-)?(1-)?[a-z0-9A-Zé-]{0,90}") {
            let _read = text.parse::<JoinToken>();
        }
    }
}
