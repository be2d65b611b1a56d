//! The side that asks.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    version::TLS13,
};

use super::{PeerError, TlsError, own_certificate, provider, verify};
use crate::{
    cluster::pki::{Clock, Credentials},
    model::ClusterId,
};

/// Proves ourselves, and believes managers of our cluster alone.
pub(super) fn config(
    credentials: &Credentials,
    clock: Clock,
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = provider();
    let verifier = ManagerVerifier {
        roots: credentials.bundle().root_store()?,
        cluster: credentials.identity().cluster,
        algorithms: provider.signature_verification_algorithms,
    };
    let config = ClientConfig::builder_with_details(provider, Arc::new(clock))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(own_certificate(credentials)?);
    Ok(Arc::new(without_memory(config)))
}

/// Each connection stands for itself, and tells no name before it is encrypted.
pub(super) fn without_memory(mut config: ClientConfig) -> ClientConfig {
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    config
}

#[derive(Debug)]
struct ManagerVerifier {
    roots: RootCertStore,
    cluster: ClusterId,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for ManagerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = verify::manager(leaf, rest, &self.roots, now, self.algorithms)?.cluster;
        if found == self.cluster {
            Ok(ServerCertVerified::assertion())
        } else {
            let own = self.cluster;
            Err(PeerError::OtherCluster { found, own }.into())
        }
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
