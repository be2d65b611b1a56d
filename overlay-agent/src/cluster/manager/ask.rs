//! What nodes ask the managers for, beside joining, renewing and watching.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{
    cluster::{
        service::Privilege,
        state::{Change, Family, Reply},
    },
    model::{NetworkId, NodeId},
};

/// What is wanted. A node's own wishes name no node: it is the one that asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// A block of a network, of each of these families.
    LeaseBlocks {
        /// Which network.
        network: NetworkId,
        /// Of which families.
        families: BTreeSet<Family>,
    },
    /// One address of a network.
    LeaseAddress {
        /// Which network.
        network: NetworkId,
        /// The address.
        address: IpAddr,
    },
    /// Blocks that are not used any more.
    GiveBack {
        /// Which network.
        network: NetworkId,
        /// Leases, or parts of them.
        blocks: BTreeSet<IpNet>,
    },
    /// That its certificate in use is one of this authority, and that it trusts all that count now.
    ReportCertificate {
        /// By its name.
        authority: String,
    },
    /// To go.
    Leave {
        /// Even if the managers lose their majority.
        force: bool,
    },
    /// A change of the cluster. Managers only.
    Change(Box<Change>),
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Position in the managers' log.
    pub index: u64,
    /// What the state answered.
    pub reply: Reply,
}

impl Ask {
    pub(super) fn privilege(&self) -> Privilege {
        match self {
            Self::LeaseBlocks { .. }
            | Self::LeaseAddress { .. }
            | Self::GiveBack { .. }
            | Self::ReportCertificate { .. }
            | Self::Leave { .. } => Privilege::Node,
            Self::Change(_) => Privilege::Manager,
        }
    }

    /// The change of the state that follows when `node` asks. `down` do not answer, whatever whoever
    /// asks thinks.
    pub(super) fn into_change(self, node: NodeId, down: BTreeSet<NodeId>) -> Change {
        match self {
            Self::LeaseBlocks { network, families } => Change::LeaseBlocks {
                node,
                network,
                families,
            },
            Self::LeaseAddress { network, address } => Change::LeaseAddress {
                node,
                network,
                address,
            },
            Self::GiveBack { network, blocks } => Change::GiveBack {
                node,
                network,
                blocks,
            },
            Self::ReportCertificate { authority } => Change::ReportCertificate { node, authority },
            Self::Leave { force } => Change::Leave { node, force, down },
            Self::Change(change) => with_down(*change, down),
        }
    }
}

fn with_down(mut change: Change, down: BTreeSet<NodeId>) -> Change {
    if let Change::SetRole { down: known, .. } = &mut change {
        *known = down;
    } else if let Change::RemoveNode { node, is_down, .. } = &mut change {
        *is_down = down.contains(node);
    }
    change
}
