//! Certificates and tokens, from what the state knows of them.

use std::time::Duration;

use crate::{
    cluster::{
        pki::{
            Authority, BundleError, IssueError, JoinToken, JoinTokens, LIFETIME, TokenError,
            TrustBundle,
        },
        state::{self, Secret, Times, Trust},
    },
    model::{NodeId, Role},
};

/// What the state knows of certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The authority, or the request for a certificate.
    #[error("could not issue a certificate")]
    Issue(#[from] IssueError),
    /// The trusted roots.
    #[error("BUG: the managers' trusted roots are damaged")]
    Bundle(#[from] BundleError),
    /// A token.
    #[error("BUG: the managers' join token is damaged")]
    Token(#[from] TokenError),
}

/// How the state keeps an authority.
pub(super) fn kept(authority: &Authority) -> state::Authority {
    let certificate = authority.bundle().to_pem();
    state::Authority {
        name: authority.digest().to_string(),
        certificate,
        material: Secret::new(authority.to_pem().to_string()),
    }
}

/// Who signs now.
pub(super) fn signer(trust: &Trust) -> Result<Authority, TrustError> {
    Ok(Authority::from_pem(trust.signer().material.expose())?)
}

/// What nodes trust now.
pub(super) fn bundle(trust: &Trust) -> Result<TrustBundle, TrustError> {
    Ok(TrustBundle::from_pem(trust.bundle())?)
}

/// A certificate of the authority that signs now.
#[derive(Debug)]
pub(super) struct Issued {
    /// In PEM.
    pub(super) certificate: String,
    /// What to trust from now on.
    pub(super) bundle: TrustBundle,
    /// The authority's name.
    pub(super) authority: String,
}

/// A certificate for the key of `csr`. `now` is in seconds since 1970.
pub(super) fn issue(
    (trust, times): (&Trust, Times),
    csr: &str,
    node: NodeId,
    role: Role,
    now: u64,
) -> Result<Issued, TrustError> {
    let lifetime = times.certificates.map_or(LIFETIME, Duration::from_secs);
    Ok(Issued {
        certificate: signer(trust)?.issue(csr, node, role, now, lifetime)?,
        bundle: bundle(trust)?,
        authority: trust.signer().name.clone(),
    })
}

/// When a certificate in PEM ends, seconds since 1970.
pub(super) fn expires(certificate: &str) -> Option<u64> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(certificate.as_bytes()).ok()?;
    let parsed = pem.parse_x509().ok()?;
    parsed.validity().not_after.timestamp().try_into().ok()
}

/// The tokens that count now. They name the root that signs now, whenever their secrets were made.
pub(super) fn tokens(trust: &Trust) -> Result<JoinTokens, TrustError> {
    let digest = signer(trust)?.digest();
    let token = |role| -> Result<JoinToken, TrustError> {
        let token: JoinToken = trust.token(role).expose().parse()?;
        Ok(token.with_digest(digest))
    };
    Ok(JoinTokens {
        worker: token(Role::Worker)?,
        manager: token(Role::Manager)?,
    })
}
