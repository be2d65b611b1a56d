//! A root certificate in one line.

use std::{fmt, str::FromStr};

use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::base36;

/// Digits of a digest: enough for 256 bits in base 36.
pub(super) const DIGITS: usize = 50;

/// SHA-256 of a root certificate's DER; as text, 50 digits in base 36.
#[derive(Clone, Copy, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RootDigest([u8; 32]);

/// The text is no digest.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{text}` is no digest of a root certificate: one has 50 digits and small letters")]
pub struct DigestError {
    /// What was given.
    pub text: String,
}

impl RootDigest {
    /// The digest of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, certificate).as_ref());
        Self(bytes)
    }

    pub(super) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for RootDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&base36::encode(Zeroizing::new(self.0.to_vec()), DIGITS))
    }
}

impl fmt::Debug for RootDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootDigest({self})")
    }
}

impl FromStr for RootDigest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let read = base36::decode::<32>(text, DIGITS);
        read.map(|bytes| Self(*bytes))
            .map_err(|_wrong| DigestError {
                text: text.to_owned(),
            })
    }
}

impl TryFrom<String> for RootDigest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<RootDigest> for String {
    fn from(digest: RootDigest) -> Self {
        digest.to_string()
    }
}
