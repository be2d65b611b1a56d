//! What every node is told, whole or as changes.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Cluster, State, history::Touch};
use crate::model::{
    ClusterNetwork, ClusterService, ClusterView, KeyRing, Lease, Member, NodeId, Roots, ServiceId,
    Vni,
};

/// A part of the view that came, went or became another.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum ViewChange {
    /// A node is there, or is another than before.
    Member(Box<Member>),
    /// A node is gone.
    MemberGone(NodeId),
    /// A network is there, or is another than before.
    Network(Box<ClusterNetwork>),
    /// A network is gone.
    NetworkGone(Vni),
    /// A block is leased, or to another node than before.
    Lease(Lease),
    /// A block is no longer leased.
    LeaseGone(Vni, IpNet),
    /// The gossip's keys.
    Keys(KeyRing),
    /// The UDP port of VXLAN.
    DataPathPort(u16),
    /// Who vouches for nodes.
    Roots(Box<Roots>),
    /// A service is there, or is another than before.
    Service(Box<ClusterService>),
    /// A service is gone.
    ServiceGone(ServiceId),
}

/// What leads from the view at one position of the log to that at a later one.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ViewDelta {
    /// The index of the view it applies to.
    pub from: u64,
    /// The index of the view it leads to.
    pub to: u64,
    /// Every changed part once, in any order.
    pub changes: Vec<ViewChange>,
}

/// What a watcher is sent.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum ViewUpdate {
    /// Everything, for a watcher that has nothing or too old a view.
    Whole(Box<ClusterView>),
    /// What changed.
    Changes(ViewDelta),
}

/// Changes that do not belong to the view at hand: ask for the whole one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "changes from index {from} do not apply to the view of index {have}; ask for the whole view"
)]
pub struct ViewGap {
    /// Where the changes begin.
    pub from: u64,
    /// The index of the view.
    pub have: u64,
}

impl ViewUpdate {
    /// Brings a view up to date.
    pub fn apply_to(self, view: &mut ClusterView) -> Result<(), ViewGap> {
        match self {
            Self::Whole(whole) => {
                *view = *whole;
                Ok(())
            }
            Self::Changes(delta) => delta.apply_to(view),
        }
    }
}

impl ViewDelta {
    /// Brings a view up to date. One that it does not belong to is left as it is.
    pub fn apply_to(self, view: &mut ClusterView) -> Result<(), ViewGap> {
        if self.from != view.index {
            return Err(ViewGap {
                from: self.from,
                have: view.index,
            });
        }
        for change in self.changes {
            change.apply_to(view);
        }
        view.index = self.to;
        Ok(())
    }
}

impl ViewChange {
    fn apply_to(self, view: &mut ClusterView) {
        match self {
            Self::Member(member) => {
                view.members.insert(member.id, *member);
            }
            Self::MemberGone(node) => {
                view.members.remove(&node);
            }
            Self::Network(network) => {
                view.networks.insert(network.network.vni, *network);
            }
            Self::NetworkGone(vni) => {
                view.networks.remove(&vni);
            }
            Self::Lease(lease) => {
                remove_lease(view, lease.vni, lease.block);
                view.leases.insert(lease);
            }
            Self::LeaseGone(vni, block) => remove_lease(view, vni, block),
            Self::Keys(keys) => view.keys = keys,
            Self::DataPathPort(port) => view.data_path_port = port,
            Self::Roots(roots) => view.roots = *roots,
            Self::Service(service) => {
                view.services.insert(service.id, *service);
            }
            Self::ServiceGone(service) => {
                view.services.remove(&service);
            }
        }
    }
}

/// A block of a network has one holder at most, whoever it is.
fn remove_lease(view: &mut ClusterView, vni: Vni, block: IpNet) {
    let held_by = |node, index| Lease {
        vni,
        block,
        node: NodeId::from_random(node),
        index,
    };
    let mut holders = view
        .leases
        .range(held_by(0, 0)..=held_by(u128::MAX, u64::MAX));
    if let Some(holder) = holders.next().copied() {
        view.leases.remove(&holder);
    }
}

impl State {
    /// Index of the view: the position in the log of the last command that changed it.
    pub fn view_index(&self) -> u64 {
        self.history.last()
    }

    /// All that every node needs to know.
    pub fn view(&self) -> ClusterView {
        let mut view = ClusterView {
            index: self.history.last(),
            ..ClusterView::default()
        };
        let Some(cluster) = &self.cluster else {
            return view;
        };
        view.members = cluster
            .present_members()
            .map(|member| (member.id, member.clone()))
            .collect();
        for (vni, record) in cluster.networks.iter() {
            view.networks.insert(vni, record.network.clone());
            let leases = record.leases.iter().map(|holding| holding.lease(vni));
            let leases = leases.filter(|lease| cluster.is_present(lease.node));
            view.leases.extend(leases);
        }
        let services = cluster.services.iter();
        view.services = services
            .map(|service| (service.id, service.clone()))
            .collect();
        view.data_path_port = cluster.data_path_port;
        view.keys = cluster.ring.keys().clone();
        view.roots = cluster.trust.roots();
        view
    }

    /// What a watcher needs that has the view of this index; 0: none.
    pub fn update_since(&self, index: u64) -> ViewUpdate {
        let delta = self.changes_since(index);
        delta.map_or_else(
            || ViewUpdate::Whole(Box::new(self.view())),
            ViewUpdate::Changes,
        )
    }

    /// What leads from the view of this index to the present one; `None` if that is no longer known.
    pub fn changes_since(&self, index: u64) -> Option<ViewDelta> {
        let touched = self.history.since(index)?;
        let changes = match &self.cluster {
            Some(cluster) => touched
                .into_iter()
                .map(|touch| cluster.look_up(touch))
                .collect(),
            None => Vec::new(),
        };
        Some(ViewDelta {
            from: index,
            to: self.history.last(),
            changes,
        })
    }
}

impl Cluster {
    /// What a part of the view is now.
    fn look_up(&self, touch: Touch) -> ViewChange {
        match touch {
            Touch::DataPathPort => ViewChange::DataPathPort(self.data_path_port),
            Touch::Keys => ViewChange::Keys(self.ring.keys().clone()),
            Touch::Roots => ViewChange::Roots(Box::new(self.trust.roots())),
            Touch::Member(node) => match self.present(node) {
                Ok(member) => ViewChange::Member(Box::new(member.clone())),
                Err(_) => ViewChange::MemberGone(node),
            },
            Touch::Network(vni) => match self.networks.get(vni) {
                Some(record) => ViewChange::Network(Box::new(record.network.clone())),
                None => ViewChange::NetworkGone(vni),
            },
            Touch::Service(id) => match self.services.get(id) {
                Some(service) => ViewChange::Service(Box::new(service.clone())),
                None => ViewChange::ServiceGone(id),
            },
            Touch::Lease(vni, block) => {
                let record = self.networks.get(vni);
                let holding = record.and_then(|record| record.leases.get(block));
                match holding.filter(|holding| self.is_present(holding.node)) {
                    Some(holding) => ViewChange::Lease(holding.lease(vni)),
                    None => ViewChange::LeaseGone(vni, block),
                }
            }
        }
    }
}
