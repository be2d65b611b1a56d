//! Why the other side is not believed.

use std::{error::Error, io, sync::Arc};

use rustls::{CertificateError, OtherError};

use crate::{
    cluster::pki::{BundleError, ClockError, IdentityError, KeyError, RootDigest},
    model::{ClusterId, NodeId},
};

/// TLS that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Our key.
    #[error("the node's key cannot be used for TLS")]
    Key(#[from] KeyError),
    /// What we trust.
    #[error("the trusted roots cannot be used for TLS")]
    Bundle(#[from] BundleError),
    /// The library refused.
    #[error("TLS cannot be set up")]
    Library(#[from] rustls::Error),
    /// The library refused the roots.
    #[error("the trusted roots cannot be used for verifying nodes")]
    Roots(#[from] rustls::server::VerifierBuilderError),
}

/// A server that is not the manager we want to talk to. Nothing was said to it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PeerError {
    /// Its root is not the token's.
    #[error(
        "it is not of the cluster that the join token is for: the token wants the root {wanted}, and \
         {}; the address is another cluster's, or the CA was rotated and \
         `overlay swarm join-token` on a manager prints the new token", presented(.last.as_ref())
    )]
    OtherRoot {
        /// The token's.
        wanted: RootDigest,
        /// The last certificate that the server presented.
        last: Option<RootDigest>,
    },
    /// Its certificate comes from elsewhere.
    #[error(
        "its certificate is from an authority that this node does not trust: it is another cluster's, \
         or the CA was rotated while this node was away; in that case leave the cluster and join again"
    )]
    Untrusted,
    /// It does not count now.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// It names nobody.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It is a worker.
    #[error("it is the worker {node}, not a manager")]
    NotAManager {
        /// Who it is.
        node: NodeId,
    },
    /// It is of another cluster.
    #[error("it is of the cluster {found}, and this node is of {own}")]
    OtherCluster {
        /// Its cluster.
        found: ClusterId,
        /// Ours.
        own: ClusterId,
    },
}

/// Why the server was not believed, if that is what went wrong.
pub fn peer_error(error: &io::Error) -> Option<PeerError> {
    let inner: &(dyn Error + 'static) = error.get_ref()?;
    let rustls::Error::InvalidCertificate(reason) = inner.downcast_ref()? else {
        return None;
    };
    let CertificateError::Other(OtherError(other)) = reason else {
        return None;
    };
    other.downcast_ref::<PeerError>().cloned()
}

impl From<PeerError> for rustls::Error {
    fn from(error: PeerError) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
    }
}

fn presented(last: Option<&RootDigest>) -> String {
    last.map_or_else(
        || "the manager presented none".to_owned(),
        |last| format!("the manager presented {last}"),
    )
}
