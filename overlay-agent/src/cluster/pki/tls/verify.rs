//! Is a certificate what it claims to be?

use std::time::Duration;

use rustls::{
    CertificateError, Error, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, UnixTime},
    server::ParsedCertificate,
};

use super::PeerError;
use crate::{
    cluster::pki::{ClockError, Identity, Validity, peer_identity},
    model::Role,
};

/// The manager that a server's certificate names, if there is a way from it to one of the roots.
pub(super) fn manager(
    leaf: &CertificateDer<'_>,
    rest: &[CertificateDer<'_>],
    roots: &RootCertStore,
    now: UnixTime,
    algorithms: WebPkiSupportedAlgorithms,
) -> Result<Identity, Error> {
    let identity = peer_identity(std::slice::from_ref(leaf)).map_err(PeerError::from)?;
    let parsed = ParsedCertificate::try_from(leaf)?;
    let then = within(identity.validity, now);
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, rest, then, algorithms.all)
        .map_err(|error| explained(error, identity))?;
    identity.check(now.as_secs()).map_err(PeerError::from)?;
    if identity.role == Role::Manager {
        Ok(identity)
    } else {
        Err(PeerError::NotAManager {
            node: identity.node,
        }
        .into())
    }
}

/// The moment of the certificate's own time that is nearest to `now`. The chain is verified for that one,
/// so that a wrong clock is told from a wrong certificate; the clock is looked at afterwards.
pub(super) fn within(validity: Validity, now: UnixTime) -> UnixTime {
    let Validity {
        not_before,
        not_after,
    } = validity;
    let seconds = now.as_secs().min(not_after).max(not_before);
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn explained(error: Error, identity: Identity) -> Error {
    let Error::InvalidCertificate(reason) = &error else {
        return error;
    };
    let is_purpose = matches!(
        reason,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. }
    );
    let is_foreign = matches!(
        reason,
        CertificateError::UnknownIssuer | CertificateError::BadSignature
    );
    if is_foreign {
        PeerError::Untrusted.into()
    } else if is_purpose && identity.role != Role::Manager {
        let node = identity.node;
        PeerError::NotAManager { node }.into()
    } else if let CertificateError::ExpiredContext { time, not_after } = reason {
        let (not_after, now) = (not_after.as_secs(), time.as_secs());
        PeerError::Clock(ClockError::Expired { not_after, now }).into()
    } else if let CertificateError::NotValidYetContext { time, not_before } = reason {
        let (not_before, now) = (not_before.as_secs(), time.as_secs());
        PeerError::Clock(ClockError::NotYetValid { not_before, now }).into()
    } else {
        error
    }
}
