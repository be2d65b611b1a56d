//! All that a node needs to prove itself and to check others.

use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{
    BundleError, Identity, IdentityError, KeyError, SecretKey, TrustBundle,
    identity::{peer_identity, with_parsed},
    pem,
};

/// A node's key, its certificate and the roots it trusts. They fit each other.
#[derive(Clone, Debug)]
pub struct Credentials {
    key: SecretKey,
    certificate: CertificateDer<'static>,
    identity: Identity,
    bundle: TrustBundle,
}

/// Parts that do not fit, or are damaged.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The key.
    #[error("the node's key cannot be used")]
    Key(#[from] KeyError),
    /// The certificate.
    #[error("the node's certificate cannot be used")]
    Identity(#[from] IdentityError),
    /// The roots.
    #[error("the trusted roots cannot be used")]
    Bundle(#[from] BundleError),
    /// The certificate is for another key.
    #[error("the node's certificate is for another key")]
    OtherKey,
    /// The certificate is of another authority.
    #[error("none of the trusted roots signed the node's certificate")]
    OtherAuthority,
}

impl Credentials {
    /// Puts them together; the certificate is PEM.
    pub fn new(
        key: SecretKey,
        certificate: &str,
        bundle: TrustBundle,
    ) -> Result<Self, CredentialsError> {
        let leaf = pem::read_certificate(certificate).ok_or(IdentityError::Damaged)?;
        let identity = peer_identity(std::slice::from_ref(&leaf))?;
        let public = key.public()?;
        let is_for_key = with_parsed(&leaf, |leaf| {
            *leaf.public_key().subject_public_key.data == *public
        });
        if is_for_key != Some(true) {
            return Err(CredentialsError::OtherKey);
        }
        if bundle.signer_of(certificate).is_none() {
            return Err(CredentialsError::OtherAuthority);
        }
        Ok(Self {
            key,
            certificate: leaf,
            identity,
            bundle,
        })
    }

    /// The same node with other roots.
    ///
    /// # Errors
    /// The certificate comes from none of them; it must be renewed first.
    pub fn with_bundle(&self, bundle: TrustBundle) -> Result<Self, CredentialsError> {
        Self::new(self.key.clone(), &self.certificate(), bundle)
    }

    /// Whom the certificate names.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The roots.
    pub fn bundle(&self) -> &TrustBundle {
        &self.bundle
    }

    /// The certificate in PEM.
    pub fn certificate(&self) -> String {
        pem::certificate(&self.certificate)
    }

    /// The key.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// What is presented in a handshake.
    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        std::iter::once(&self.certificate)
            .chain(self.bundle.certificates())
            .cloned()
            .collect()
    }

    /// Certificate, key and roots in PEM.
    pub(super) fn to_pem(&self) -> Zeroizing<String> {
        let (certificate, key) = (self.certificate(), self.key.to_pem());
        let bundle = self.bundle.to_pem();
        let room = certificate.len() + key.len() + bundle.len();
        let mut text = Zeroizing::new(String::with_capacity(room));
        text.push_str(&certificate);
        text.push_str(&key);
        text.push_str(&bundle);
        text
    }

    /// What [`Credentials::to_pem`] wrote.
    pub(super) fn from_pem(text: &str) -> Result<Self, CredentialsError> {
        let key = SecretKey::from_pem(text)?;
        Self::new(key, text, TrustBundle::from_pem(text)?)
    }
}
