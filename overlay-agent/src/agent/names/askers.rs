//! Which container is behind a transit address.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::{
    agent::{directory::Directory, shared::Shared},
    dns::{Asker, Askers},
    model::transit_position,
};

/// The pools of transit addresses.
const POOLS: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(100, 127, 0, 0), 16)),
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(0xfd6f, 0x7665, 0x726c, 0, 0, 0, 0, 0),
        64,
    )),
];

/// The containers of this node.
#[derive(Debug)]
pub(super) struct Containers(pub(super) Arc<Shared>);

impl Askers for Containers {
    fn asker(&self, source: IpAddr) -> Option<Asker> {
        behind(&self.0.directory(), source)
    }
}

/// Whoever has an endpoint in the same namespace is on all of its networks, in the order of the interfaces'
/// making, but for those from which it was cut off.
pub(super) fn behind(directory: &Directory, source: IpAddr) -> Option<Asker> {
    let mut pools = POOLS.into_iter();
    let position = pools.find_map(|pool| transit_position(pool, source))?;
    let asking = directory.at_transit(position)?;
    let all = directory.all_of_namespace(asking.namespace);
    let mut connected: Vec<_> = all.filter(|it| it.conflict.is_none()).collect();
    connected.sort_by_key(|it| (it.created, it.interface.len(), it.interface.clone()));
    Some(Asker {
        networks: connected.into_iter().map(|it| it.vni).collect(),
    })
}
