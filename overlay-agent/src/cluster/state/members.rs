//! Nodes: how they come, change and go.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde::{Deserialize, Serialize};

use super::{Cluster, Join, Refusal, Secret, entry::Entry, history::Touch};
use crate::model::{Availability, Member, NodeId, Role};

/// The longest name that a host can have (RFC 1123, 2.1).
const LONGEST_HOSTNAME: usize = 255;

/// A node, and what only the managers know about it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// What all nodes know.
    pub member: Member,
    /// When it left of its own accord, seconds since 1970. Other nodes know it no longer.
    pub left: Option<u64>,
    /// The authority that signed its certificate, as reported.
    pub certified_by: Option<String>,
}

impl NodeRecord {
    /// Whether it takes part.
    pub fn is_present(&self) -> bool {
        self.left.is_none()
    }
}

impl Cluster {
    /// A node that takes part.
    pub(super) fn present(&self, node: NodeId) -> Result<&Member, Refusal> {
        let record = self.members.get(&node).filter(|record| record.is_present());
        let member = record.map(|record| &record.member);
        member.ok_or_else(|| no_node(node))
    }

    pub(super) fn is_present(&self, node: NodeId) -> bool {
        self.present(node).is_ok()
    }

    pub(super) fn present_members(&self) -> impl Iterator<Item = &Member> {
        let records = self.members.values().filter(|record| record.is_present());
        records.map(|record| &record.member)
    }

    /// A node that takes part, to be changed.
    pub(super) fn record_mut(&mut self, node: NodeId) -> Result<&mut NodeRecord, Refusal> {
        let record = self.members.get_mut(&node);
        record
            .filter(|record| record.is_present())
            .ok_or_else(|| no_node(node))
    }

    pub(super) fn join(&mut self, entry: &mut Entry, join: Join) -> Result<(), Refusal> {
        let node = join.node;
        if self.gone.contains_key(&node) && !self.members.contains_key(&node) {
            return Err(Refusal::NodeRemoved { node });
        }
        check_addresses(&join)?;
        let others = || self.present_members().filter(|other| other.id != node);
        let is_of_family = |other: &&Member| other.data_path.is_ipv4() == join.data_path.is_ipv4();
        if let Some(other) = others().find(|other| !is_of_family(other)) {
            return Err(Refusal::MixedFamilies {
                address: join.data_path,
                other: other.data_path,
            });
        }
        let has_address = |other: &&Member| other.data_path == join.data_path;
        let holder = others().find(has_address).map(|holder| holder.id);
        if let Some(holder) = holder {
            self.check_takeover(holder, &join.down)?;
        }
        if join.role == Role::Worker && self.is_manager(node) {
            self.check_managers_without(node, &join.down)?;
        }
        if let Some(holder) = holder {
            self.set_left(entry, holder);
        }
        let before = self.members.remove(&node);
        let record = joined(before, join, entry.at);
        self.members.insert(node, record);
        entry.touch([Touch::Member(node)]);
        if self.gone.remove(&node).is_some() {
            self.touch_leases(entry, node);
        }
        Ok(())
    }

    pub(super) fn leave(
        &mut self,
        entry: &mut Entry,
        node: NodeId,
        force: bool,
        down: &BTreeSet<NodeId>,
    ) -> Result<(), Refusal> {
        self.present(node)?;
        if !force && self.is_manager(node) {
            self.check_managers_without(node, down)?;
        }
        self.set_left(entry, node);
        Ok(())
    }

    pub(super) fn set_role(
        &mut self,
        entry: &mut Entry,
        node: NodeId,
        role: Role,
        down: &BTreeSet<NodeId>,
    ) -> Result<(), Refusal> {
        if self.present(node)?.role == role {
            return Ok(());
        }
        if role == Role::Worker {
            self.check_managers_without(node, down)?;
        }
        self.record_mut(node)?.member.role = role;
        entry.touch([Touch::Member(node)]);
        Ok(())
    }

    pub(super) fn set_availability(
        &mut self,
        entry: &mut Entry,
        node: NodeId,
        availability: Availability,
    ) -> Result<(), Refusal> {
        self.record_mut(node)?.member.availability = availability;
        entry.touch([Touch::Member(node)]);
        Ok(())
    }

    pub(super) fn set_labels(
        &mut self,
        entry: &mut Entry,
        node: NodeId,
        add: BTreeMap<String, String>,
        remove: &BTreeSet<String>,
    ) -> Result<(), Refusal> {
        let labels = &mut self.record_mut(node)?.member.labels;
        if add.contains_key("") {
            let what = "label".to_owned();
            return Err(Refusal::NoKey { what });
        }
        if let Some(label) = remove.iter().find(|label| !labels.contains_key(*label)) {
            let label = label.clone();
            return Err(Refusal::NoLabel { node, label });
        }
        labels.retain(|label, _| !remove.contains(label));
        labels.extend(add);
        entry.touch([Touch::Member(node)]);
        Ok(())
    }

    pub(super) fn remove_node(
        &mut self,
        entry: &mut Entry,
        node: NodeId,
        may_go: bool,
        secret: &Secret<[u8; 32]>,
    ) -> Result<(), Refusal> {
        let record = self.members.get(&node).ok_or_else(|| no_node(node))?;
        if record.is_present() && record.member.role == Role::Manager {
            return Err(Refusal::IsManager { node });
        }
        if record.is_present() && !may_go {
            return Err(Refusal::NotDown { node });
        }
        self.set_left(entry, node);
        self.members.remove(&node);
        self.gone.entry(node).or_insert(entry.at);
        self.ring.expel(secret, entry.at);
        entry.touch([Touch::Keys]);
        Ok(())
    }

    /// One manager goes on alone.
    pub(super) fn force_new(&mut self, entry: &mut Entry, node: NodeId) -> Result<(), Refusal> {
        self.present(node)?;
        for record in self.members.values_mut() {
            let is_it = record.member.id == node;
            record.member.role = if is_it { Role::Manager } else { Role::Worker };
        }
        entry.breaks_history = true;
        Ok(())
    }

    fn is_manager(&self, node: NodeId) -> bool {
        let member = self.present(node);
        member.is_ok_and(|member| member.role == Role::Manager)
    }

    /// Refuses to take a manager away if the others could not decide anything.
    fn check_managers_without(&self, node: NodeId, down: &BTreeSet<NodeId>) -> Result<(), Refusal> {
        let is_other = |member: &&Member| member.role == Role::Manager && member.id != node;
        let others = || self.present_members().filter(is_other);
        let left = others().count();
        let up = others().filter(|other| !down.contains(&other.id)).count();
        if left == 0 {
            Err(Refusal::LastManager { node })
        } else if up * 2 <= left {
            Err(Refusal::QuorumLoss { node, up, left })
        } else {
            Ok(())
        }
    }

    /// Whether a newcomer may have the data-path address of a node.
    fn check_takeover(&self, holder: NodeId, down: &BTreeSet<NodeId>) -> Result<(), Refusal> {
        let member = self.present(holder)?;
        if !down.contains(&holder) {
            return Err(Refusal::AddressTaken {
                address: member.data_path,
                node: holder,
                hostname: member.hostname.clone(),
            });
        }
        if member.role == Role::Manager {
            self.check_managers_without(holder, down)?;
        }
        Ok(())
    }

    fn set_left(&mut self, entry: &mut Entry, node: NodeId) {
        if let Some(record) = self.members.get_mut(&node)
            && record.is_present()
        {
            record.left = Some(entry.at);
            record.member.role = Role::Worker;
            self.gone.insert(node, entry.at);
            entry.touch([Touch::Member(node)]);
            self.touch_leases(entry, node);
        }
    }

    fn touch_leases(&self, entry: &mut Entry, node: NodeId) {
        for (vni, record) in self.networks.iter() {
            let leases = record.leases.of(node);
            entry.touch(leases.map(|block| Touch::Lease(vni, block)));
        }
    }
}

fn no_node(node: NodeId) -> Refusal {
    Refusal::NoNode {
        node: node.to_string(),
    }
}

/// What a node is after it joined; it keeps what it was wanted for.
fn joined(before: Option<NodeRecord>, join: Join, at: u64) -> NodeRecord {
    let (availability, labels, joined, certified_by) = match before {
        Some(NodeRecord {
            member,
            certified_by,
            left: _,
        }) => (
            member.availability,
            member.labels,
            member.joined,
            certified_by,
        ),
        None => (join.availability, BTreeMap::new(), at, None),
    };
    NodeRecord {
        member: Member {
            id: join.node,
            hostname: join.hostname,
            role: join.role,
            availability,
            labels,
            data_path: join.data_path,
            gossip: join.gossip,
            control: join.control,
            joined,
        },
        left: None,
        certified_by,
    }
}

fn check_addresses(join: &Join) -> Result<(), Refusal> {
    let hostname = &join.hostname;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if hostname.is_empty() || hostname.len() > LONGEST_HOSTNAME || !hostname.chars().all(is_plain) {
        let hostname = hostname.chars().take(LONGEST_HOSTNAME).collect();
        return Err(Refusal::Hostname { hostname });
    }
    let addresses = [
        ("data path", join.data_path, join.data_path.is_loopback()),
        ("gossip", join.gossip.ip(), false),
        ("control", join.control.ip(), false),
    ];
    for (purpose, address, is_loopback) in addresses {
        let what = match address {
            _ if is_loopback => "a loopback address",
            _ if address.is_unspecified() => "no address of one host",
            _ if address.is_multicast() => "a multicast address",
            IpAddr::V4(address) if address.is_broadcast() => "the broadcast address",
            IpAddr::V4(_) | IpAddr::V6(_) => continue,
        };
        return Err(Refusal::NotForUnderlay {
            purpose: purpose.to_owned(),
            address,
            what: what.to_owned(),
        });
    }
    Ok(())
}
