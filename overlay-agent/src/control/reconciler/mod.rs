//! The one owner of everything that is written to the kernel's tables, hooks and devices.
//!
//! The code that makes the first sync is the code that repairs: whatever the kernel holds is
//! compared with the plan, and the differences are written in a safe order.

mod endpoint;
mod follow;
mod gateway;
mod guard;
mod publish;
mod repair;
mod services;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

pub use services::{BackendEnd, Ended};

use super::{
    Balancer, Change, Datapath, Expected, Gateway, Hook, Plumbing, PortError, PortErrorKind,
    Program, SocketCall, Tables, Underlay, UnderlayDevice, changes, numbers,
    planner::{self, Facts},
};
use crate::model::{
    Attachment, Desired, Encap, Exact, NamespaceEntry, PeerId, Place, PortKey, TransitPools, Way,
};

/// What the reconciler works with.
#[derive(Debug)]
pub struct Ports<D, U, P> {
    /// Tables and hooks.
    pub datapath: D,
    /// The host's own network.
    pub underlay: U,
    /// Devices that the agent makes.
    pub plumbing: P,
}

/// Owns the ports and what is known to be behind them.
#[derive(Debug)]
pub struct Reconciler<D, U, P> {
    datapath: D,
    underlay: U,
    plumbing: P,
    desired: Arc<Desired>,
    /// Nodes with single addresses beside those that `desired` lists.
    exact: BTreeMap<Place, Exact>,
    encap: Encap,
    numbers: BTreeMap<IpAddr, PeerId>,
    ways: BTreeMap<IpAddr, Way>,
    own_device: Option<UnderlayDevice>,
    own_addresses: BTreeMap<IpAddr, u32>,
    /// Ports that are kept from everybody else.
    held_ports: BTreeSet<PortKey>,
    /// Ports that somebody else has, with the reason.
    refused_ports: BTreeMap<PortKey, String>,
    /// What the tables hold; nothing while that is not known, after a write failed.
    applied: Option<Tables>,
    /// Services, and what of them is in the tables.
    balancer: Balancer,
    /// Backends that ended and that nobody was told of.
    ended: Vec<Ended>,
    /// What is attached.
    hooks: BTreeSet<Hook>,
    /// The vxlan device.
    tunnel: u32,
    /// From which addresses stand for containers outside; none without a way out.
    pools: TransitPools,
    /// The way out, while there is one.
    gateway: Option<Gateway>,
    /// For which largest packet it was made, or tried to be.
    gateway_mtu: Option<u32>,
    /// Why there is none although there should be.
    gateway_trouble: Option<String>,
    sockets: Sockets,
}

/// What becomes of sockets, which follows from configuration and kernel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sockets {
    /// Whether they are balanced.
    pub are_balanced: bool,
    /// The cookie of the host's own namespace, if its sockets are.
    pub host: Option<u64>,
}

impl<D: Datapath, U: Underlay, P: Plumbing> Reconciler<D, U, P> {
    /// Takes the ports over. Nothing is read or written before [`Self::sync`]. `tunnel` is the vxlan
    /// device for which the programs were loaded.
    pub fn new(
        ports: Ports<D, U, P>,
        desired: impl Into<Arc<Desired>>,
        encap: Encap,
        tunnel: u32,
    ) -> Self {
        Self {
            datapath: ports.datapath,
            underlay: ports.underlay,
            plumbing: ports.plumbing,
            desired: desired.into(),
            exact: BTreeMap::new(),
            encap,
            numbers: BTreeMap::new(),
            ways: BTreeMap::new(),
            own_device: None,
            own_addresses: BTreeMap::new(),
            held_ports: BTreeSet::new(),
            refused_ports: BTreeMap::new(),
            applied: None,
            balancer: Balancer::default(),
            ended: Vec::new(),
            hooks: BTreeSet::new(),
            tunnel,
            pools: TransitPools::default(),
            gateway: None,
            gateway_mtu: None,
            gateway_trouble: None,
            sockets: Sockets::default(),
        }
    }

    /// Gives containers addresses of these pools for the way out.
    #[must_use]
    pub fn with_transit_pools(mut self, pools: TransitPools) -> Self {
        self.pools = pools;
        self
    }

    /// The same with sockets balanced, or not.
    #[must_use]
    pub fn with_sockets(self, sockets: Sockets) -> Self {
        Self { sockets, ..self }
    }

    /// What the cluster wants.
    pub fn desired(&self) -> &Arc<Desired> {
        &self.desired
    }

    /// The ways to the other nodes, by underlay address.
    pub fn ways(&self) -> &BTreeMap<IpAddr, Way> {
        &self.ways
    }

    /// What the tables hold, if that is known.
    pub fn tables(&self) -> Option<&Tables> {
        self.applied.as_ref()
    }

    /// Tables and hooks. Writing to them behind the reconciler's back is drift.
    pub fn datapath(&mut self) -> &mut D {
        &mut self.datapath
    }

    /// The devices that the agent makes.
    pub fn plumbing(&mut self) -> &mut P {
        &mut self.plumbing
    }

    /// The vxlan device.
    pub fn tunnel(&self) -> u32 {
        self.tunnel
    }

    /// What the kernel should hold now, to be compared elsewhere.
    pub fn expected(&self) -> Option<Expected> {
        let tables = self.applied.clone()?;
        let hooks = self.hooks.clone();
        Some(Expected { tables, hooks })
    }

    /// Makes the kernel hold what the cluster and these endpoints ask for; returns how many entries
    /// and hooks were changed. A failure leaves the rest to the next call, which starts from what
    /// the kernel really holds.
    pub fn sync<'a>(
        &mut self,
        attachments: impl IntoIterator<Item = &'a Attachment> + Clone,
    ) -> Result<usize, PortError> {
        let known = self.applied.take();
        let is_known = known.is_some();
        let actual = match known {
            Some(tables) => tables,
            None => Tables::read(&self.datapath)?,
        };
        self.number(&actual);
        self.look_around()?;
        let remote = planner::remote_tables(self.facts());
        let mut local = planner::local_tables(attachments.clone(), self.pools);
        let host = self.sockets.host;
        local
            .namespaces
            .extend(host.map(|cookie| (cookie, NamespaceEntry::HOST)));
        let desired = Tables::new(remote, local);
        let desired = if is_known {
            desired
                .with_services_of(&actual)
                .with_published(self.balancer.ports())
        } else {
            self.balancer.adopt(&actual);
            let placing = self.balancer.place_all(&self.numbers);
            desired.with_rows(placing.rows)
        };
        let written = self.apply(&actual, desired)?;
        self.balancer.settle();
        let attached = self.hang(&self.wanted_hooks(attachments), Stale::Listed)?;
        Ok(written + attached)
    }

    /// Looks at the underlay anew and follows it. Routes are left as they are.
    pub fn refresh(&mut self) -> Result<usize, PortError> {
        self.look_around()?;
        let Some(actual) = self.applied.take() else {
            return Ok(0);
        };
        let facts = self.facts();
        let desired = actual.with_ways(
            planner::peers(facts),
            planner::networks(facts),
            facts.own_addresses.clone(),
        );
        let desired = desired.with_published(self.balancer.ports());
        let written = self.apply(&actual, desired)?;
        Ok(written + self.hang_on_underlay()?)
    }

    fn hang_on_underlay(&mut self) -> Result<usize, PortError> {
        let mut hooks: BTreeSet<Hook> = self.hooks.iter().copied().collect();
        hooks.retain(|hook| match hook.program {
            Program::FromUnderlay | Program::ToUnderlay => false,
            Program::FromContainer
            | Program::FromTunnel
            | Program::FromHost
            | Program::Socket(_) => true,
        });
        hooks.extend(planner::underlay_hooks(self.facts()));
        hooks.extend(self.guard_hooks());
        self.hang(&hooks, Stale::Remembered)
    }

    /// The largest packet inside a network for which no other size was chosen, bytes.
    pub fn inner_mtu(&self, is_encrypted: bool) -> u32 {
        self.facts().inner_mtu(is_encrypted)
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            desired: &self.desired,
            exact: &self.exact,
            encap: self.encap,
            numbers: &self.numbers,
            ways: &self.ways,
            own_device: self.own_device,
            own_addresses: &self.own_addresses,
        }
    }

    /// Keeps the numbers that peers have in the tables.
    fn number(&mut self, actual: &Tables) {
        let known = actual
            .peers
            .iter()
            .map(|(id, peer)| (peer.remote, *id))
            .collect();
        let others = self.desired.others().map(|node| node.address);
        self.numbers = numbers::assign(&known, others);
    }

    fn look_around(&mut self) -> Result<(), PortError> {
        let own = self.desired.this;
        self.own_device = self.underlay.device_of(own)?;
        self.own_addresses = self.underlay.own_addresses()?;
        self.ways = self.underlay.ways(own, &mut self.numbers.keys().copied())?;
        Ok(())
    }

    /// Writes all differences. `applied` stays unknown unless all of them are written.
    fn apply(&mut self, actual: &Tables, mut desired: Tables) -> Result<usize, PortError> {
        let mut count = 0;
        self.hold_wanted(actual, &mut desired);
        let mtu = planner::gateway_mtu(&desired.networks);
        if self.gateway_mtu != Some(mtu) {
            self.settle_gateway(mtu);
        }
        desired.node = self.node_entry();
        desired.mark_balanced();
        count += self.guard(&desired)?;
        for change in changes(actual, &desired) {
            self.write(&change)?;
            self.note_end(actual, &change);
            count += 1;
        }
        self.release_unwanted(&desired);
        self.applied = Some(desired);
        Ok(count)
    }

    fn write(&mut self, change: &Change) -> Result<(), PortError> {
        match change {
            Change::Put(row) => self.datapath.put(row),
            Change::Remove(key) => self.datapath.remove(key),
        }
    }

    fn wanted_hooks<'a>(
        &self,
        attachments: impl IntoIterator<Item = &'a Attachment>,
    ) -> BTreeSet<Hook> {
        let mut hooks = planner::underlay_hooks(self.facts());
        hooks.extend(self.guard_hooks());
        hooks.insert(Hook {
            program: Program::FromTunnel,
            ifindex: self.tunnel,
        });
        hooks.extend(attachments.into_iter().map(endpoint::hook));
        hooks.extend(self.gateway_hook());
        if self.sockets.are_balanced {
            hooks.extend(SocketCall::ALL.map(Hook::of_sockets));
        }
        hooks
    }

    /// Attaches what is wanted and not attached yet, and detaches the rest. A device that vanished
    /// meanwhile is skipped: what follows from that arrives on its own.
    fn hang(&mut self, wanted: &BTreeSet<Hook>, stale: Stale) -> Result<usize, PortError> {
        let mut count = 0;
        let attached = match stale {
            Stale::Listed => self.datapath.hooks()?,
            Stale::Remembered => self.hooks.iter().copied().collect(),
        };
        for hook in wanted.difference(&self.hooks.clone()) {
            match self.datapath.attach(*hook) {
                Ok(()) => {
                    self.hooks.insert(*hook);
                    count += 1;
                }
                Err(error) if error.kind == PortErrorKind::Gone => {}
                Err(error) => return Err(error),
            }
        }
        for hook in attached {
            if !wanted.contains(&hook) {
                self.datapath.detach(hook)?;
                self.hooks.remove(&hook);
                count += 1;
            }
        }
        Ok(count)
    }
}

/// Where attachments that nobody wants are looked for.
#[derive(Clone, Copy, Debug)]
enum Stale {
    /// Among all that this or an earlier agent made.
    Listed,
    /// Among those that this agent knows of.
    Remembered,
}
