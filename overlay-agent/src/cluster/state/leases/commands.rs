//! Leases as nodes ask for them and give them back.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{
    super::{Cluster, Family, Refusal, Reply, entry::Entry, history::Touch},
    Holding,
    book::Denial,
};
use crate::model::{
    Lease, NetworkId, NodeId, Vni,
    subnet::{not_a_host, overlap},
};

impl Cluster {
    pub(in super::super) fn lease_blocks(
        &mut self,
        entry: &mut Entry,
        node: NodeId,
        network: NetworkId,
        families: &BTreeSet<Family>,
    ) -> Result<Reply, Refusal> {
        self.present(node)?;
        let (vni, record) = self.networks.by_id_mut(network)?;
        if families.is_empty() {
            let what = "address family".to_owned();
            return Err(Refusal::NothingAsked { what });
        }
        let name = record.network.network.name.clone();
        if let Some(family) = families.iter().find(|family| !record.leases.has(**family)) {
            return Err(Refusal::NoSubnetOfFamily {
                network: name,
                family: family.name().to_owned(),
            });
        }
        let mut leases: Vec<Lease> = Vec::with_capacity(families.len());
        for family in families {
            let Some(holding) = record.leases.lease_block(node, *family, entry.index) else {
                for lease in &leases {
                    record.leases.give_back(node, lease.block);
                }
                return Err(Refusal::AddressesExhausted {
                    network: name,
                    family: family.name().to_owned(),
                });
            };
            leases.push(holding.lease(vni));
        }
        entry.touch(leases.iter().map(|lease| Touch::Lease(vni, lease.block)));
        Ok(Reply::Leases(leases))
    }

    pub(in super::super) fn lease_address(
        &mut self,
        entry: &mut Entry,
        node: NodeId,
        network: NetworkId,
        address: IpAddr,
    ) -> Result<Reply, Refusal> {
        self.present(node)?;
        let (vni, record) = self.networks.by_id_mut(network)?;
        let definition = &record.network.network;
        let network = || definition.name.clone();
        let Some(subnet) = definition.subnet_of(address) else {
            let subnets: Vec<String> = definition.subnets.iter().map(IpNet::to_string).collect();
            return Err(Refusal::OutsideSubnets {
                address,
                network: network(),
                subnets: subnets.join(", "),
            });
        };
        let holding = record
            .leases
            .lease_address(node, address, entry.index)
            .map_err(|denial| match denial {
                Denial::Held(node) => Refusal::AddressInUse {
                    address,
                    network: network(),
                    node,
                },
                Denial::Reserved => Refusal::Reserved {
                    address,
                    what: match not_a_host(address, subnet) {
                        Some(what) => format!("the {what} address"),
                        None if definition.gateways.contains(&address) => "the gateway".to_owned(),
                        None => match Self::holder_of_vip(&self.services, vni, address) {
                            Some(service) => format!("the virtual IP of service {service}"),
                            None => "a reserved address".to_owned(),
                        },
                    },
                    network: network(),
                },
            })?;
        if holding.index == entry.index {
            entry.touch([Touch::Lease(vni, holding.block)]);
        }
        Ok(Reply::Leases(vec![holding.lease(vni)]))
    }

    pub(in super::super) fn give_back(
        &mut self,
        entry: &mut Entry,
        node: NodeId,
        network: NetworkId,
        blocks: &BTreeSet<IpNet>,
    ) -> Result<Reply, Refusal> {
        let (vni, record) = self.networks.by_id_mut(network)?;
        if blocks.is_empty() {
            let what = "block".to_owned();
            return Err(Refusal::NothingAsked { what });
        }
        if let Some(net) = blocks.iter().copied().find(|net| *net != net.trunc()) {
            return Err(Refusal::HostBits { net });
        }
        // Sorted, a block that holds another holds the very next one too.
        let neighbours = blocks.iter().zip(blocks.iter().skip(1));
        if let Some((other, block)) = neighbours.into_iter().find(|(a, b)| overlap(**a, **b)) {
            return Err(Refusal::GivenBackTwice {
                block: *block,
                other: *other,
            });
        }
        for block in blocks.iter().copied() {
            if !record.leases.covers(node, block) {
                return Err(Refusal::NotLeased {
                    node,
                    block,
                    network: record.network.network.name.clone(),
                });
            }
        }
        for block in blocks {
            let touched = record.leases.give_back(node, *block);
            entry.touch(touched.into_iter().map(|block| Touch::Lease(vni, block)));
        }
        Ok(Reply::Done)
    }

    /// Frees what nodes had that went `after` seconds ago or earlier. Nobody sees their leases any
    /// more, so that no view changes.
    pub(in super::super) fn reap(&mut self, entry: &Entry, after: u64) -> Reply {
        let is_due = |since: &u64| since.saturating_add(after) <= entry.at;
        let gone = self.gone.extract_if(.., |_, since| is_due(since));
        let gone: Vec<NodeId> = gone.map(|(node, _)| node).collect();
        let mut count = 0;
        for record in self.networks.records_mut() {
            for node in &gone {
                count += record.leases.give_back_all(*node);
            }
        }
        Reply::Reaped(count)
    }
}

impl Holding {
    /// The lease as all nodes know it.
    pub(in super::super) fn lease(&self, vni: Vni) -> Lease {
        let Self { block, node, index } = *self;
        Lease {
            vni,
            block,
            node,
            index,
        }
    }
}
