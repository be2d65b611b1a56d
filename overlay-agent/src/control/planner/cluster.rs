//! What the managers say and what the gossip says, joined into what this node wants. Only networks
//! that exist here count, so that the tables grow with what a node takes part in, not with the cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use ipnet::IpNet;

use super::services::Services;
use crate::model::{
    Claim, ClusterNetwork, ClusterView, Desired, Exact, Lease, MacAddress, Member, Node, NodeId,
    Observed, Place, ServiceChange, Vni,
};

/// All that is known of the cluster, as one node sees it.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub(super) this: NodeId,
    pub(super) view: Arc<ClusterView>,
    pub(super) observed: Observed,
    /// Networks that exist on this node.
    pub(super) present: BTreeSet<Vni>,
    /// Leases that were given to this node and that the view does not have yet.
    early: BTreeSet<Lease>,
    /// Leases of this node that it is about to give back.
    retired: BTreeSet<Lease>,
    /// Follows from all of the above but the claims: who has which block of the networks here.
    owners: BTreeMap<(Vni, IpNet), Lease>,
    /// Underlay addresses of all nodes that can be told apart by them.
    pub(super) addresses: BTreeMap<NodeId, IpAddr>,
    pub(super) services: Services,
}

/// What this node wants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// Nodes with their blocks, and networks.
    pub desired: Desired,
    /// Single addresses that the blocks do not tell, or not all of.
    pub exact: BTreeMap<Place, Exact>,
    /// Services, where more is to be followed than their changes one by one.
    pub services: Vec<ServiceChange>,
}

impl Cluster {
    /// The cluster as the managers describe it; nothing else is known yet.
    pub fn new(this: NodeId, view: Arc<ClusterView>) -> Self {
        let mut cluster = Self {
            this,
            view,
            observed: Observed::default(),
            present: BTreeSet::new(),
            early: BTreeSet::new(),
            retired: BTreeSet::new(),
            owners: BTreeMap::new(),
            addresses: BTreeMap::new(),
            services: Services::default(),
        };
        cluster.index();
        cluster.touch_all();
        cluster
    }

    /// This node's identifier.
    pub fn this(&self) -> NodeId {
        self.this
    }

    /// What the managers say.
    pub fn view(&self) -> &Arc<ClusterView> {
        &self.view
    }

    /// This node as the managers know it; none once it was removed.
    pub fn member(&self) -> Option<&Member> {
        self.view.members.get(&self.this)
    }

    /// The network of this name, whether it exists here or not.
    pub fn network(&self, name: &str) -> Option<&ClusterNetwork> {
        self.view.network(name)
    }

    /// Whether a network exists here.
    pub fn has(&self, vni: Vni) -> bool {
        self.present.contains(&vni)
    }

    /// Takes over what the managers say now; an older view than the present one changes nothing.
    pub fn set_view(&mut self, view: Arc<ClusterView>) {
        if view.index < self.view.index {
            return;
        }
        self.early.retain(|lease| lease.index > view.index);
        let before = std::mem::replace(&mut self.view, view);
        self.touch_changed(&before);
        let all = &self.view.leases;
        self.retired.retain(|lease| all.contains(lease));
        self.index();
    }

    /// Takes over which networks exist here.
    pub fn set_present(&mut self, present: BTreeSet<Vni>) {
        if self.present != present {
            let turned = &self.present ^ &present;
            self.touch_networks(&turned);
            self.present = present;
            self.index();
        }
    }

    /// Takes over which nodes do not answer.
    pub fn set_failed(&mut self, failed: BTreeSet<NodeId>) {
        if self.observed.failed != failed {
            let turned = &self.observed.failed ^ &failed;
            self.touch_tasks_of(&turned);
            self.observed.failed = failed;
            self.index();
        }
    }

    /// Takes over every claim; what else is known of the nodes stays.
    pub fn set_claims(&mut self, claims: BTreeMap<(Vni, IpAddr), (NodeId, Claim)>) {
        self.observed.claims = claims;
        self.index_tasks();
    }

    /// Takes over the winning claim on one address; returns what follows for its route, if anything.
    pub fn claim(
        &mut self,
        place: Place,
        winner: Option<(NodeId, Claim)>,
    ) -> Option<(Place, Option<Exact>)> {
        let key = (place.vni, place.address);
        let before = self.exact(place);
        self.touch_claimed(place, winner.as_ref());
        match winner {
            Some(winner) => self.observed.claims.insert(key, winner),
            None => self.observed.claims.remove(&key),
        };
        let after = self.exact(place);
        (before != after).then_some((place, after))
    }

    /// Uses a lease before the view has it.
    pub fn learn(&mut self, lease: Lease) {
        if lease.index > self.view.index {
            self.early.insert(lease);
            self.index();
        }
    }

    /// Uses a lease no longer, although the view still has it.
    pub fn retire(&mut self, lease: Lease) {
        self.early.remove(&lease);
        self.retired.insert(lease);
        self.index();
    }

    /// Uses a lease again that could not be given back.
    pub fn restore(&mut self, lease: &Lease) {
        self.retired.remove(lease);
        self.index();
    }

    /// The leases of this node in all networks, also where they do not exist here.
    pub fn own_leases(&self) -> impl Iterator<Item = Lease> + '_ {
        let all = self.view.leases.iter().chain(&self.early).copied();
        all.filter(|lease| lease.node == self.this && !self.retired.contains(lease))
    }

    /// The lease of this node that covers an address most closely; what another node has inside of it
    /// is not this node's.
    pub fn own_lease(&self, place: Place) -> Option<Lease> {
        let lease = self.owner(place)?;
        (lease.node == self.this).then_some(lease)
    }

    /// Who claims an address, and for which endpoint, as far as the gossip has told.
    pub fn claimant(&self, place: Place) -> Option<(NodeId, &Claim)> {
        let found = self.observed.claims.get(&(place.vni, place.address));
        found.map(|(node, claim)| (*node, claim))
    }

    /// A node's name, else its identifier.
    pub fn name_of(&self, node: NodeId) -> String {
        let member = self.view.members.get(&node);
        member.map_or_else(|| node.to_string(), |member| member.hostname.clone())
    }

    /// What follows from everything. None if the managers do not know this node.
    pub fn plan(&self) -> Option<Plan> {
        let this = self.member()?.data_path;
        let mut blocks = self.blocks();
        let nodes = self.addresses.iter().filter_map(|(id, address)| {
            let member = self.view.members.get(id)?;
            Some(Node {
                name: member.hostname.clone(),
                address: *address,
                blocks: blocks.remove(id).unwrap_or_default(),
                endpoints: Vec::new(),
            })
        });
        let mut nodes: Vec<Node> = nodes.collect();
        nodes.sort_by(|a, b| (&a.name, a.address).cmp(&(&b.name, b.address)));
        let networks = self.present.iter();
        let networks = networks.filter_map(|vni| self.view.networks.get(vni));
        let internal = networks.clone().filter(|network| network.internal);
        let internal = internal.map(|network| network.network.vni).collect();
        let encrypted = networks.clone().filter(|network| network.encrypted);
        let encrypted = encrypted.map(|network| network.network.vni).collect();
        let mut networks: Vec<_> = networks.map(|network| network.network.clone()).collect();
        networks.sort_by(|a, b| a.name.cmp(&b.name));
        Some(Plan {
            desired: Desired {
                ingress: self.ingress(),
                this,
                nodes,
                networks,
                internal,
                encrypted,
            },
            exact: self.all_exact(),
            services: Vec::new(),
        })
    }

    /// What has to be found again after anything but a claim changed.
    fn index(&mut self) {
        let addresses = addresses(self.this, &self.view, &self.observed.failed);
        if addresses != self.addresses {
            self.addresses = addresses;
            self.touch_all();
        }
        let leases = self.view.leases.iter().chain(&self.early);
        let here = leases.filter(|lease| {
            self.present.contains(&lease.vni)
                && !self.retired.contains(lease)
                && self.addresses.contains_key(&lease.node)
                && !self.observed.failed.contains(&lease.node)
        });
        let mut owners: BTreeMap<(Vni, IpNet), Lease> = BTreeMap::new();
        for lease in here {
            let owner = owners.entry((lease.vni, lease.block)).or_insert(*lease);
            if (lease.index, lease.node) > (owner.index, owner.node) {
                *owner = *lease;
            }
        }
        self.owners = owners;
    }

    fn blocks(&self) -> BTreeMap<NodeId, BTreeMap<Vni, Vec<IpNet>>> {
        let mut blocks: BTreeMap<NodeId, BTreeMap<Vni, Vec<IpNet>>> = BTreeMap::new();
        for lease in self.owners.values() {
            let of_node = blocks.entry(lease.node).or_default();
            of_node.entry(lease.vni).or_default().push(lease.block);
        }
        blocks
    }

    /// The narrowest lease around an address.
    fn owner(&self, place: Place) -> Option<Lease> {
        let longest = if place.address.is_ipv4() { 32 } else { 128 };
        let around = (0..=longest)
            .rev()
            .filter_map(|length| IpNet::new(place.address, length).ok());
        let mut found = around.filter_map(|block| self.owners.get(&(place.vni, block.trunc())));
        found.next().copied()
    }

    fn all_exact(&self) -> BTreeMap<Place, Exact> {
        let places = self.observed.claims.keys();
        let places = places.map(|(vni, address)| Place {
            vni: *vni,
            address: *address,
        });
        places
            .filter_map(|place| Some((place, self.exact(place)?)))
            .collect()
    }

    /// The route that an address needs for itself; none where its owner's block says the same.
    fn exact(&self, place: Place) -> Option<Exact> {
        let (node, claim) = self.claimant(place)?;
        if node == self.this
            || !self.present.contains(&place.vni)
            || self.observed.failed.contains(&node)
        {
            return None;
        }
        let address = *self.addresses.get(&node)?;
        let mac = claim
            .mac
            .filter(|mac| *mac != MacAddress::derived(place.address));
        let is_told_by_block = self.owner(place).is_some_and(|lease| lease.node == node);
        (mac.is_some() || !is_told_by_block).then_some(Exact { node: address, mac })
    }
}

/// The nodes' underlay addresses. Where several members have one, as after a host was set up anew, it
/// is the one that is this node, or answers, or joined last.
fn addresses(
    this: NodeId,
    view: &ClusterView,
    failed: &BTreeSet<NodeId>,
) -> BTreeMap<NodeId, IpAddr> {
    let mut holders: BTreeMap<IpAddr, &Member> = BTreeMap::new();
    let rank = |member: &Member| {
        let answers = !failed.contains(&member.id);
        (member.id == this, answers, member.joined, member.id)
    };
    let placed = view.members.values();
    for member in placed.filter(|member| !member.data_path.is_unspecified()) {
        let holder = holders.entry(member.data_path).or_insert(member);
        if rank(member) > rank(holder) {
            *holder = member;
        }
    }
    holders
        .into_iter()
        .map(|(address, member)| (member.id, address))
        .collect()
}
