//! The first connection of a host that has nothing but a token.
//!
//! The token's digest names one root. The server must present that root and a way to it from its own
//! certificate, before anything, the token above all, is sent to it.

use std::sync::Arc;

use rustls::{
    ClientConfig, Error, RootCertStore,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, UnixTime},
};

use super::{
    PeerError, TlsError,
    verifier::{Belief, believing, without_memory},
    verify,
};
use crate::cluster::pki::{Clock, RootDigest};

/// TLS without a certificate of our own, to managers below the root with this digest and nobody else.
pub fn first_contact(digest: RootDigest, clock: Clock) -> Result<Arc<ClientConfig>, TlsError> {
    let config = believing(Below { digest }, clock)?.with_no_client_auth();
    Ok(Arc::new(without_memory(config)))
}

/// Managers below one root.
#[derive(Debug)]
struct Below {
    digest: RootDigest,
}

impl Below {
    fn roots(&self, presented: &[CertificateDer<'_>]) -> Result<RootCertStore, Error> {
        let root = presented
            .iter()
            .find(|certificate| RootDigest::of(certificate) == self.digest)
            .ok_or_else(|| PeerError::OtherRoot {
                wanted: self.digest,
                last: presented.last().map(RootDigest::of),
            })?;
        let mut roots = RootCertStore::empty();
        roots.add(root.clone().into_owned())?;
        Ok(roots)
    }
}

impl Belief for Below {
    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        let roots = self.roots(rest)?;
        verify::manager(leaf, rest, &roots, now, algorithms).map(drop)
    }
}
