//! What a certificate says about its owner.

use rustls::pki_types::CertificateDer;
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

use super::{ClockError, RootDigest, TrustBundle, Validity, pem, subject};
use crate::model::{ClusterId, NodeId, Role};

/// A node as its certificate names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    /// CN.
    pub node: NodeId,
    /// OU.
    pub role: Role,
    /// O.
    pub cluster: ClusterId,
    /// From when until when.
    pub validity: Validity,
}

/// A certificate that identifies nobody.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IdentityError {
    /// There is none.
    #[error("there is no certificate")]
    None,
    /// It cannot be read.
    #[error("the certificate is damaged")]
    Damaged,
    /// It is not a node's.
    #[error("the certificate names no node of a cluster: its {part} is missing or of another kind")]
    NotANode {
        /// Which part of the subject.
        part: &'static str,
    },
}

/// Who presents this chain. That it is genuine, the handshake has to have proved before.
///
/// # Errors
/// The chain is empty, or its first certificate is not a node's.
pub fn peer_identity(chain: &[CertificateDer<'_>]) -> Result<Identity, IdentityError> {
    let leaf = chain.first().ok_or(IdentityError::None)?;
    with_parsed(leaf, identity).ok_or(IdentityError::Damaged)?
}

/// Whom a certificate in PEM names.
///
/// # Errors
/// It is not a node's.
pub fn identity_in_pem(certificate: &str) -> Result<Identity, IdentityError> {
    let certificate = pem::read_certificate(certificate).ok_or(IdentityError::Damaged)?;
    peer_identity(&[certificate])
}

impl Identity {
    /// Whether the certificate counts at this moment.
    ///
    /// # Errors
    /// It does not; both clocks are named.
    pub fn check(&self, now: u64) -> Result<(), ClockError> {
        self.validity.check(now)
    }
}

impl TrustBundle {
    /// Which of the roots signed a node's certificate (PEM): while the authority changes, the nodes
    /// whose certificates come from the old one are still to be renewed.
    pub fn signer_of(&self, certificate: &str) -> Option<RootDigest> {
        let leaf = pem::read_certificate(certificate)?;
        self.roots()
            .iter()
            .find(|root| is_signed_by(&leaf, root))
            .map(RootDigest::of)
    }
}

fn identity(leaf: &X509Certificate<'_>) -> Result<Identity, IdentityError> {
    let parts = subject::parts(leaf.subject());
    let missing = |part| IdentityError::NotANode { part };
    let common_name = parts.common_name.and_then(|text| text.parse().ok());
    let role = parts.unit.and_then(subject::role);
    let cluster = parts.organization.and_then(|text| text.parse().ok());
    Ok(Identity {
        node: common_name.ok_or(missing("CN"))?,
        role: role.ok_or(missing("OU"))?,
        cluster: cluster.ok_or(missing("O"))?,
        validity: validity(leaf),
    })
}

fn is_signed_by(leaf: &CertificateDer<'_>, root: &CertificateDer<'_>) -> bool {
    let signed = with_parsed(leaf, |leaf| {
        with_parsed(root, |root| {
            leaf.verify_signature(Some(root.public_key())).is_ok()
        })
    });
    signed.flatten() == Some(true)
}

pub(super) fn validity(certificate: &X509Certificate<'_>) -> Validity {
    let seconds = |timestamp: i64| u64::try_from(timestamp).unwrap_or(0);
    let stated = certificate.validity();
    Validity {
        not_before: seconds(stated.not_before.timestamp()),
        not_after: seconds(stated.not_after.timestamp()),
    }
}

/// Nothing may follow the certificate.
pub(super) fn with_parsed<T>(
    der: &CertificateDer<'_>,
    read: impl FnOnce(&X509Certificate<'_>) -> T,
) -> Option<T> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Some(read(&certificate)),
        Ok(_) | Err(_) => None,
    }
}
