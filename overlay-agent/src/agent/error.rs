//! Why the agent could not start, or had to stop.

use std::{io, path::PathBuf};

use super::{
    plumbing::{GatewayError, TunnelError},
    store::StoreError,
    swarm::MemberError,
};
use crate::{api::ListenError, control::PortError, datapath, netlink};

/// A failure of the whole agent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket could not be made, or another agent has the run directory.
    #[error("could not open the agent's socket")]
    Listen {
        /// Why.
        #[from]
        source: ListenError,
    },
    /// Another agent uses a directory.
    #[error("another agent uses {}; stop it, or give this one its own --run-dir and --data-dir", .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// Another agent runs in this network namespace.
    #[error(
        "another agent runs in this network namespace; stop it, or start this one in another namespace"
    )]
    NamespaceInUse,
    /// The network namespace could not be claimed.
    #[error("could not claim the network namespace")]
    NamespaceClaim {
        /// What the system says.
        source: io::Error,
    },
    /// A directory could not be used.
    #[error("could not {operation} {}", .path.display())]
    Directory {
        /// What was attempted, as a verb phrase.
        operation: &'static str,
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The process may not do what an agent does.
    #[error("overlay-agent takes root: it loads BPF programs and makes network interfaces")]
    NotRoot,
    /// The kernel lacks something, or refused the programs.
    #[error("could not prepare the data plane")]
    Datapath {
        /// Why.
        #[from]
        source: datapath::Error,
    },
    /// States and policies of the kernel's xfrm could not be taken away.
    #[error(
        "could not take away what encrypts; `ip xfrm state` and `ip xfrm policy` show what is left"
    )]
    Xfrm {
        /// Why.
        source: crate::xfrm::Error,
    },
    /// There is no vxlan device.
    #[error("could not prepare the tunnel")]
    Tunnel {
        /// Why.
        #[from]
        source: TunnelError,
    },
    /// The way out could not be taken away.
    #[error("could not take the way out away")]
    Gateway {
        /// Why.
        #[from]
        source: GatewayError,
    },
    /// The network configuration could not be read.
    #[error("could not look at the host's network")]
    Netlink {
        /// Why.
        #[from]
        source: netlink::Error,
    },
    /// What was kept on disk could not be used.
    #[error("could not restore the endpoints")]
    Store {
        /// Why.
        #[from]
        source: StoreError,
    },
    /// The kernel could not be made to hold what it should.
    #[error("could not bring the data plane in line with the configuration")]
    Sync {
        /// Why.
        #[from]
        source: PortError,
    },
    /// This node could not take its part in its swarm.
    #[error("could not take part in the swarm")]
    Member {
        /// Why.
        source: Box<MemberError>,
    },
    /// The socket stopped working.
    #[error("the agent's socket failed")]
    Serve {
        /// Why.
        source: io::Error,
    },
    /// A part of the agent ended that should run as long as the agent.
    #[error("BUG: the agent's {task} ended early")]
    TaskEnded {
        /// Which part.
        task: &'static str,
    },
}

impl From<MemberError> for Error {
    fn from(source: MemberError) -> Self {
        Self::Member {
            source: Box::new(source),
        }
    }
}
