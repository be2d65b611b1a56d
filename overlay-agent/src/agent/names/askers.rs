//! Which container is behind a transit address.

use std::{net::IpAddr, sync::Arc};

use crate::{
    agent::{directory::Directory, shared::Shared},
    dns::{Asker, Askers},
    model::{TransitPools, transit_position},
};

/// The containers of this node.
#[derive(Debug)]
pub(super) struct Containers(pub(super) Arc<Shared>);

impl Askers for Containers {
    fn asker(&self, source: IpAddr) -> Option<Asker> {
        let pools = self.0.settings.outside.in_use()?;
        behind(&self.0.directory(), pools, source)
    }
}

/// Whoever has an endpoint in the same namespace is on all of its networks, in the order of the interfaces'
/// making, but for those from which it was cut off.
pub(super) fn behind(directory: &Directory, pools: TransitPools, source: IpAddr) -> Option<Asker> {
    let position = pools
        .iter()
        .find_map(|pool| transit_position(pool, source))?;
    let asking = directory.at_transit(position)?;
    let all = directory.all_of_namespace(asking.namespace);
    let mut connected: Vec<_> = all.filter(|it| it.conflict.is_none()).collect();
    connected.sort_by_key(|it| (it.created, it.interface.len(), it.interface.clone()));
    Some(Asker {
        networks: connected.into_iter().map(|it| it.vni).collect(),
    })
}
