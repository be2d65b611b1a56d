//! The roots that a node trusts.

use rustls::{RootCertStore, pki_types::CertificateDer};
use serde::{Deserialize, Serialize};

use super::{RootDigest, identity::with_parsed, pem};

/// One root; while the authority changes, several and the certificates by which they vouch for each
/// other. As text, all of them in PEM.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrustBundle {
    /// Never empty; the newest last.
    roots: Vec<CertificateDer<'static>>,
    crosses: Vec<CertificateDer<'static>>,
}

/// A text that is no bundle.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BundleError {
    /// A section or a certificate cannot be read.
    #[error("a certificate of the trust bundle is damaged")]
    Damaged,
    /// There is nothing to trust.
    #[error("the trust bundle has no root certificate")]
    NoRoot,
}

impl TrustBundle {
    /// The bundle of a cluster whose authority never changed.
    pub(super) fn of(root: CertificateDer<'static>) -> Self {
        Self {
            roots: vec![root],
            crosses: Vec::new(),
        }
    }

    /// The bundle in a PEM text. A root is a certificate that signed itself; others which may sign
    /// certificates are those of roots for each other, and what is neither is passed over.
    pub fn from_pem(text: &str) -> Result<Self, BundleError> {
        let certificates = pem::read_certificates(text).ok_or(BundleError::Damaged)?;
        let (mut roots, mut crosses) = (Vec::new(), Vec::new());
        for certificate in certificates {
            match kind(&certificate).ok_or(BundleError::Damaged)? {
                Kind::Root => roots.push(certificate),
                Kind::Cross => crosses.push(certificate),
                Kind::Leaf => (),
            }
        }
        if roots.is_empty() {
            return Err(BundleError::NoRoot);
        }
        Ok(Self { roots, crosses })
    }

    /// The bundle as PEM.
    pub fn to_pem(&self) -> String {
        self.certificates().map(pem::certificate).collect()
    }

    /// The trusted roots, the newest last.
    pub fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    /// Whether there is a root with this digest.
    pub fn has(&self, digest: RootDigest) -> bool {
        self.roots.iter().any(|root| RootDigest::of(root) == digest)
    }

    /// The bundle after a rotation is done: of all roots only this one. `None` if it has no such root.
    #[must_use]
    pub fn only(&self, digest: RootDigest) -> Option<Self> {
        let root = self
            .roots
            .iter()
            .find(|root| RootDigest::of(root) == digest)?;
        Some(Self::of(root.clone()))
    }

    /// The same bundle with one more root.
    pub(super) fn with(
        &self,
        root: CertificateDer<'static>,
        crosses: [CertificateDer<'static>; 2],
    ) -> Self {
        let mut bundle = self.clone();
        bundle.roots.push(root);
        bundle.crosses.extend(crosses);
        bundle
    }

    /// Everything that a node presents after its own certificate, so that the other side finds a way
    /// from there to a root which it knows.
    pub(super) fn certificates(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.crosses.iter().chain(&self.roots)
    }

    /// For verifying handshakes.
    pub(super) fn root_store(&self) -> Result<RootCertStore, BundleError> {
        let mut store = RootCertStore::empty();
        for root in &self.roots {
            store
                .add(root.clone())
                .map_err(|_unusable| BundleError::Damaged)?;
        }
        Ok(store)
    }
}

impl TryFrom<String> for TrustBundle {
    type Error = BundleError;

    fn try_from(text: String) -> Result<Self, BundleError> {
        Self::from_pem(&text)
    }
}

impl From<TrustBundle> for String {
    fn from(bundle: TrustBundle) -> Self {
        bundle.to_pem()
    }
}

enum Kind {
    Root,
    Cross,
    Leaf,
}

fn kind(certificate: &CertificateDer<'_>) -> Option<Kind> {
    with_parsed(certificate, |parsed| {
        if !parsed.is_ca() {
            Kind::Leaf
        } else if parsed.verify_signature(None).is_ok() {
            Kind::Root
        } else {
            Kind::Cross
        }
    })
}
