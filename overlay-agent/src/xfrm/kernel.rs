//! What is asked of the kernel's xfrm, in the agent's own terms.

use std::{collections::BTreeMap, net::IpAddr};

use super::{Error, Material};

/// Whether a state opens or seals.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Direction {
    /// Opens what the other node has sealed.
    In,
    /// Seals.
    Out,
}

/// What the kernel finds a state by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct StateId {
    /// Who opens.
    pub destination: IpAddr,
    /// Its name in packets.
    pub spi: u32,
}

/// A state as it is wanted.
#[derive(Clone, Debug)]
pub struct StateWish {
    /// What it is found by.
    pub id: StateId,
    /// Who seals.
    pub source: IpAddr,
    /// The mark of what it has opened; none for a state that seals.
    pub mark: Option<u32>,
    /// Its key.
    pub material: Material,
}

/// A state as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StateRow {
    /// Who seals.
    pub source: IpAddr,
    /// The mark of what it has opened.
    pub mark: Option<u32>,
}

/// What a policy is about: packets of the data path that are marked, to one node or to any.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct PolicyKey {
    /// Family of the underlay.
    pub is_ipv6: bool,
    /// The node; none: any.
    pub destination: Option<IpAddr>,
    /// UDP port of VXLAN.
    pub port: u16,
    /// Our part of marks.
    pub mark: u32,
}

/// What becomes of such a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protection {
    /// The state of this name seals it. Without one, it is dropped.
    Seal(u32),
    /// It is dropped.
    Block,
}

/// A policy.
pub type Policy = (PolicyKey, Protection);

/// The kernel, as far as its states and policies are ours.
pub trait Kernel {
    /// All our states.
    fn states(&mut self) -> Result<BTreeMap<StateId, StateRow>, Error>;

    /// All our policies.
    fn policies(&mut self) -> Result<BTreeMap<PolicyKey, Protection>, Error>;

    /// Adds a state. Fails if there is one by the same name, whoever made it.
    fn add(&mut self, wish: &StateWish) -> Result<(), Error>;

    /// Gives a state another mark.
    fn mark(&mut self, wish: &StateWish) -> Result<(), Error>;

    /// Removes a state; that there was none is no error.
    fn remove(&mut self, id: StateId) -> Result<(), Error>;

    /// Adds a policy, or puts it in the place of the one about the same packets, without a moment between.
    fn set_policy(&mut self, policy: Policy) -> Result<(), Error>;

    /// Removes a policy; that there was none is no error.
    fn remove_policy(&mut self, key: PolicyKey) -> Result<(), Error>;
}
