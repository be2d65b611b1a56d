//! A service as one node balances it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{Place, PublishedPort, ServiceId, Vni};

/// A service as this node balances it: what follows from what the managers decided, who is there, and
/// which networks exist here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Balanced {
    /// Its virtual addresses in the networks that exist here.
    pub vips: BTreeSet<Place>,
    /// The ports at which this node answers for it.
    pub ports: BTreeSet<PublishedPort>,
    /// The network in which tasks are found for the ports.
    pub port_network: Option<Vni>,
    /// Whether the tasks' nodes answer clients from outside themselves.
    pub is_direct_return: bool,
    /// Whether nodes encrypt what they send each other of its ports: the network of the tasks is encrypted.
    pub is_encrypted: bool,
    /// Its tasks, one for each address.
    pub tasks: BTreeMap<Place, Task>,
}

/// One address of a task.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Task {
    /// The underlay address of its node; `None`: this node.
    pub node: Option<IpAddr>,
    /// Tells it from an earlier endpoint with its address.
    pub life: u64,
    /// Whether it takes new flows.
    pub is_open: bool,
}

/// A service that changed; `None`: this node has nothing to do with it any more.
pub type ServiceChange = (ServiceId, Option<Balanced>);
