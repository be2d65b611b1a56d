//! What following a swarm needs of managers and gossip.

use std::{collections::BTreeSet, fmt, net::IpAddr};

use crate::{
    api::ApiError,
    model::{Claim, Lease, NodeId, Vni},
};

/// Addresses that managers give. Every failure is told to the user who asked.
pub(in crate::agent) trait Leases: Send + Sync + 'static {
    /// Asks for a block of a network, of one family, of the size that the managers find right.
    fn lease(
        &self,
        vni: Vni,
        is_ipv4: bool,
    ) -> impl Future<Output = Result<Lease, ApiError>> + Send;

    /// Asks for one address.
    fn lease_exact(
        &self,
        vni: Vni,
        address: IpAddr,
    ) -> impl Future<Output = Result<Lease, ApiError>> + Send;

    /// Gives back what is not used any more.
    fn give_back(&self, lease: Lease) -> impl Future<Output = Result<(), ApiError>> + Send;
}

/// What this node tells the others. None of it waits.
pub(in crate::agent) trait Announce: fmt::Debug + Send + 'static {
    /// A network exists here from now on: its claims are wanted.
    fn attend(&self, vni: Vni);

    /// A network exists here no longer.
    fn leave(&self, vni: Vni);

    /// An endpoint here has an address. Replaces what was claimed for it before.
    fn claim(&self, claim: Claim);

    /// These nodes serve this one: they are looked after closely, and no others.
    fn watch(&self, nodes: BTreeSet<NodeId>);

    /// An address is free.
    fn withdraw(&self, vni: Vni, address: IpAddr);
}
