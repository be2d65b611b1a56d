//! The side that asks.

use std::sync::Arc;

use rustls::{
    ClientConfig, Error, RootCertStore,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, UnixTime},
};

use super::{
    PeerError, TlsError, own_certificate,
    verifier::{Belief, believing, without_memory},
    verify,
};
use crate::{
    cluster::pki::{Clock, Credentials},
    model::ClusterId,
};

/// Proves ourselves, and believes managers of our cluster alone.
pub(super) fn config(
    credentials: &Credentials,
    clock: Clock,
) -> Result<Arc<ClientConfig>, TlsError> {
    let belief = OwnManagers {
        roots: credentials.bundle().root_store()?,
        cluster: credentials.identity().cluster,
    };
    let config = believing(belief, clock)?.with_client_cert_resolver(own_certificate(credentials)?);
    Ok(Arc::new(without_memory(config)))
}

#[derive(Debug)]
struct OwnManagers {
    roots: RootCertStore,
    cluster: ClusterId,
}

impl Belief for OwnManagers {
    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        let found = verify::manager(leaf, rest, &self.roots, now, algorithms)?.cluster;
        if found == self.cluster {
            Ok(())
        } else {
            let own = self.cluster;
            Err(PeerError::OtherCluster { found, own }.into())
        }
    }
}
