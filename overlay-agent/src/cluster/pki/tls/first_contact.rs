//! The first connection of a host that has nothing but a token.
//!
//! The token's digest names one root. The server must present that root and a way to it from its own
//! certificate, before anything, the token above all, is sent to it.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    version::TLS13,
};

use super::{PeerError, TlsError, client::without_memory, provider, verify};
use crate::cluster::pki::{Clock, RootDigest};

/// TLS without a certificate of our own, to managers below the root with this digest and nobody else.
pub fn first_contact(digest: RootDigest, clock: Clock) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = provider();
    let verifier = DigestVerifier {
        digest,
        algorithms: provider.signature_verification_algorithms,
    };
    let config = ClientConfig::builder_with_details(provider, Arc::new(clock))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(without_memory(config)))
}

#[derive(Debug)]
struct DigestVerifier {
    digest: RootDigest,
    algorithms: WebPkiSupportedAlgorithms,
}

impl DigestVerifier {
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

impl ServerCertVerifier for DigestVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let roots = self.roots(rest)?;
        verify::manager(leaf, rest, &roots, now, self.algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
