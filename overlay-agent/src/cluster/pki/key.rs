//! A private key (EC P-256) and what is signed with it.

use std::{fmt, sync::Arc};

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::{
    crypto::ring::sign::any_ecdsa_type,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
    sign::SigningKey,
};
use zeroize::{Zeroize as _, Zeroizing};

use super::pem;

/// A private key; the memory is cleared when it is dropped.
#[derive(Clone)]
pub struct SecretKey {
    /// DER.
    pkcs8: Zeroizing<Vec<u8>>,
}

/// A key that is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system has no randomness, or the library refused.
    #[error("could not make a private key")]
    Generate(#[source] rcgen::Error),
    /// A key from elsewhere.
    #[error("this is no private key of P-256 in PKCS #8 and PEM")]
    NotAKey,
    /// The request for a certificate.
    #[error("could not sign a certificate request")]
    Request(#[source] rcgen::Error),
}

impl SecretKey {
    /// A new one, from the system's randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(KeyError::Generate)?;
        let pair = Zeroizing::new(pair);
        Ok(Self {
            pkcs8: Zeroizing::new(pair.serialize_der()),
        })
    }

    /// The key in a PEM text; other sections are passed over.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let mut read = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_no_such_section| KeyError::NotAKey)?;
        let key = Self {
            pkcs8: Zeroizing::new(read.secret_pkcs8_der().to_vec()),
        };
        read.zeroize();
        key.pair().map(|_usable| key)
    }

    /// The key as a PEM section.
    pub fn to_pem(&self) -> Zeroizing<String> {
        pem::section("PRIVATE KEY", &self.pkcs8)
    }

    /// A request for a certificate, PEM. It claims nothing: managers decide what a certificate says.
    pub fn request(&self) -> Result<String, KeyError> {
        let mut wanted = CertificateParams::default();
        wanted.distinguished_name = DistinguishedName::new();
        let pair = self.pair()?;
        let request = wanted
            .serialize_request(&*pair)
            .map_err(KeyError::Request)?;
        Ok(pem::request(request.der()))
    }

    /// The public half: SEC 1, uncompressed.
    pub(super) fn public(&self) -> Result<Vec<u8>, KeyError> {
        Ok(self.pair()?.public_key_raw().to_vec())
    }

    /// For signing certificates.
    pub(super) fn pair(&self) -> Result<Zeroizing<KeyPair>, KeyError> {
        let der = PrivatePkcs8KeyDer::from(self.pkcs8.as_slice());
        KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)
            .map(Zeroizing::new)
            .map_err(|_rejected| KeyError::NotAKey)
    }

    /// For handshakes.
    pub(super) fn signer(&self) -> Result<Arc<dyn SigningKey>, KeyError> {
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pkcs8.as_slice()));
        any_ecdsa_type(&der).map_err(|_rejected| KeyError::NotAKey)
    }
}

impl fmt::Debug for SecretKey {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let key = SecretKey::generate().unwrap();

        let read = SecretKey::from_pem(&key.to_pem()).unwrap();

        assert_eq!(read.public().unwrap(), key.public().unwrap());
        assert_eq!(format!("{key:?}"), "SecretKey { .. }");
    }

    #[test]
    fn damaged_keys_are_refused() {
        let text = SecretKey::generate().unwrap().to_pem();
        let cut = text.replace(
            "-----BEGIN PRIVATE KEY-----\nM",
            "-----BEGIN PRIVATE KEY-----\nN",
        );

        for wrong in ["", "garbage", &text[..60], &cut] {
            assert!(SecretKey::from_pem(wrong).is_err(), "{wrong}");
        }
    }
}
