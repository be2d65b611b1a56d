//! Why the managers could not be asked.

use std::{io, net::SocketAddr};

use crate::{
    cluster::{
        pki::{
            CredentialsError, KeyError,
            tls::{PeerError, TlsError},
        },
        service::{ErrorKind, ServiceError},
    },
    model::chain,
};

/// A request without an answer, or with a refusal.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is nobody to ask.
    #[error("no manager is known")]
    NoManager,
    /// Nobody answers there.
    #[error("could not connect to the manager {manager}")]
    Connect {
        /// Whom.
        manager: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Whoever answers there is not believed. Nothing was said to it.
    #[error("the manager {manager} is not trusted")]
    Untrusted {
        /// Whom.
        manager: SocketAddr,
        /// Why.
        #[source]
        source: PeerError,
    },
    /// It does not take our certificate.
    #[error(
        "the manager {manager} does not accept this node's certificate: it is of another cluster, or \
         the CA was rotated while this node was away; leave with `overlay swarm leave --force` and \
         join again"
    )]
    TurnedAway {
        /// Whom.
        manager: SocketAddr,
        /// Its alert.
        #[source]
        source: rustls::Error,
    },
    /// No answer came in time.
    #[error("the manager {manager} did not answer in time")]
    TimedOut {
        /// Whom.
        manager: SocketAddr,
    },
    /// The connection ended.
    #[error("the connection to the manager {manager} broke")]
    Broken {
        /// Whom.
        manager: SocketAddr,
        /// Why.
        #[source]
        source: hyper::Error,
    },
    /// It answered with a refusal.
    #[error("{}", refused(.source))]
    Refused {
        /// Whom.
        manager: SocketAddr,
        /// What it said.
        source: ServiceError,
    },
    /// Its answer makes no sense.
    #[error("the answer of the manager {manager} is not understood")]
    NotUnderstood {
        /// Whom.
        manager: SocketAddr,
        /// Where.
        #[source]
        source: serde_json::Error,
    },
    /// Its answer does not end.
    #[error("the answer of the manager {manager} is too long")]
    TooLong {
        /// Whom.
        manager: SocketAddr,
    },
    /// What it gave to a new node cannot be used.
    #[error("what the manager {manager} gave to this node cannot be used")]
    Unusable {
        /// Whom.
        manager: SocketAddr,
        /// Why.
        #[source]
        source: CredentialsError,
    },
    /// What it gave to a new node is not what the token promised.
    #[error("the manager {manager} gave this node {what}")]
    Cheated {
        /// Whom.
        manager: SocketAddr,
        /// What.
        what: &'static str,
    },
    /// It says nothing any more.
    #[error("the manager {manager} gave no sign of life")]
    Silent {
        /// Whom.
        manager: SocketAddr,
    },
    /// It ended the watch stream.
    #[error("the manager {manager} ended the stream of changes")]
    Ended {
        /// Whom.
        manager: SocketAddr,
    },
    /// Nobody could help.
    #[error("no manager could answer: {}", list(.failures))]
    All {
        /// Each of them.
        failures: Vec<ClientError>,
    },
    /// The key for a new node.
    #[error("could not ask for a certificate")]
    Key(#[from] KeyError),
    /// TLS for a new node.
    #[error("could not set up TLS")]
    Tls(#[from] TlsError),
    /// A request has no JSON form.
    #[error("BUG: a request could not be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// A request has no HTTP form.
    #[error("BUG: a request could not be written as HTTP")]
    Build(#[source] hyper::http::Error),
}

/// What to do after an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Then {
    /// Ask this one.
    Leader(SocketAddr),
    /// Ask another one, now or later.
    Another,
    /// Asking the same again gives the same.
    Never,
}

impl ClientError {
    /// The manager's refusal, if it is one.
    pub fn refusal(&self) -> Option<&ServiceError> {
        if let Self::Refused { source, .. } = self {
            Some(source)
        } else if let Self::All { failures } = self {
            failures.iter().find_map(Self::refusal)
        } else {
            None
        }
    }

    pub(super) fn then(&self) -> Then {
        match self {
            Self::Refused { source, .. } => match source.kind {
                ErrorKind::NotLeader => source.leader.map_or(Then::Another, Then::Leader),
                ErrorKind::Unavailable | ErrorKind::Internal | ErrorKind::TooSlow => Then::Another,
                ErrorKind::Malformed
                | ErrorKind::Unauthenticated
                | ErrorKind::Forbidden
                | ErrorKind::NotFound
                | ErrorKind::Conflict
                | ErrorKind::TooLarge => Then::Never,
            },
            Self::Connect { .. }
            | Self::TimedOut { .. }
            | Self::Broken { .. }
            | Self::Silent { .. }
            | Self::Ended { .. }
            | Self::All { .. } => Then::Another,
            Self::NoManager
            | Self::Untrusted { .. }
            | Self::TurnedAway { .. }
            | Self::NotUnderstood { .. }
            | Self::TooLong { .. }
            | Self::Unusable { .. }
            | Self::Cheated { .. }
            | Self::Key(_)
            | Self::Tls(_)
            | Self::Encode(_)
            | Self::Build(_) => Then::Never,
        }
    }

    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }

    pub(super) fn is_lost_connection(&self) -> bool {
        matches!(self, Self::Broken { .. })
    }

    /// One error for many.
    pub(super) fn all(mut failures: Vec<Self>) -> Self {
        match failures.len() {
            0 => Self::NoManager,
            1 => failures.remove(0),
            _ => Self::All { failures },
        }
    }
}

fn refused(refusal: &ServiceError) -> String {
    match &refusal.help {
        Some(help) => format!("{}; {help}", refusal.error),
        None => refusal.error.clone(),
    }
}

fn list(failures: &[ClientError]) -> String {
    let shown: Vec<String> = failures.iter().map(|failure| chain(failure)).collect();
    shown.join("; ")
}
