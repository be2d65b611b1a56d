//! TLS 1.3 between nodes.
//!
//! A server proves that it is a manager of the cluster, a client that it is a node of it. Names and
//! addresses prove nothing. A client without a certificate gets as far as asking to join; who may ask for
//! what is decided for each request. Sessions are never resumed, so every connection is verified with the
//! roots of its time.

mod client;
mod error;
mod first_contact;
mod server;
#[cfg(test)]
mod tests;
mod verifier;
mod verify;

use std::sync::Arc;

pub use error::{PeerError, TlsError, peer_error};
pub use first_contact::first_contact;
use rustls::{
    ClientConfig, ServerConfig,
    crypto::{CryptoProvider, ring},
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::{Clock, Credentials};

/// Both sides of TLS with one set of credentials. New credentials make a new one.
#[derive(Debug)]
pub struct Tls {
    credentials: Credentials,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Tls {
    /// TLS with these credentials; `clock` decides which certificates count.
    pub fn new(credentials: Credentials, clock: Clock) -> Result<Self, TlsError> {
        Ok(Self {
            server: server::config(&credentials, clock.clone())?,
            client: client::config(&credentials, clock)?,
            credentials,
        })
    }

    /// Whose they are.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// For answering.
    pub fn server(&self) -> &Arc<ServerConfig> {
        &self.server
    }

    /// For asking.
    pub fn client(&self) -> &Arc<ClientConfig> {
        &self.client
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn own_certificate(credentials: &Credentials) -> Result<Arc<SingleCertAndKey>, TlsError> {
    let signer = credentials.key().signer()?;
    let certified = CertifiedKey::new(credentials.chain(), signer);
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}
