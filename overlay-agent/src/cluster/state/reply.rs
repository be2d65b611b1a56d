//! What a change brought.

use serde::{Deserialize, Serialize};

use crate::model::{Lease, NetworkId, ServiceId, Vni};

/// The answer to a change that was made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// It was made; there is nothing to tell.
    Done,
    /// The network that was made.
    Network {
        /// Its identifier.
        id: NetworkId,
        /// Its VNI.
        vni: Vni,
    },
    /// What the node now has, one lease for each family or address that it asked for.
    Leases(Vec<Lease>),
    /// How many leases came back.
    Reaped(u64),
    /// The service that was made.
    Service {
        /// Its identifier.
        id: ServiceId,
    },
}
