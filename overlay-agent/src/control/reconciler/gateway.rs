//! The way out of the node: its device, and what the tables say of it. It may be missing while everything else
//! works.

use super::{
    Change, Datapath, Gateway, Hook, Plumbing, PortError, Program, Reconciler, Underlay, planner,
};
use crate::{
    control::{Key, Repair, Row},
    model::{NodeEntry, chain},
};

impl<D: Datapath, U: Underlay, P: Plumbing> Reconciler<D, U, P> {
    /// Why there is no way out although there should be.
    pub fn gateway_trouble(&self) -> Option<&str> {
        self.gateway_trouble.as_deref()
    }

    /// The way out, while there is one.
    pub fn gateway(&self) -> Option<Gateway> {
        self.gateway
    }

    /// Makes the way out, or tries to; returns what had to be done. Without it packets for the outside are dropped
    /// where they come in.
    pub(super) fn settle_gateway(&mut self, mtu: u32) -> Vec<Repair> {
        self.gateway_mtu = Some(mtu);
        match self.plumbing.ensure_gateway(mtu) {
            Ok((gateway, repairs)) => {
                self.gateway = gateway;
                self.gateway_trouble = None;
                repairs
            }
            Err(error) => {
                self.gateway = None;
                self.report(&error);
                Vec::new()
            }
        }
    }

    /// Warns of what is new; every audit tries again.
    fn report(&mut self, error: &PortError) {
        let trouble = chain(error);
        if self.gateway_trouble.as_ref() != Some(&trouble) {
            tracing::warn!(
                trouble,
                "containers have no way out; the next audit tries again"
            );
        }
        self.gateway_trouble = Some(trouble);
    }

    /// What the programs are told of it.
    pub(super) fn node_entry(&self) -> Option<NodeEntry> {
        let ingress = self.desired.ingress;
        let Some(gateway) = self.gateway else {
            let alone = NodeEntry {
                ingress,
                ..NodeEntry::default()
            };
            return ingress.map(|_| alone);
        };
        Some(NodeEntry {
            gateway_ifindex: gateway.far,
            gateway_mac: Some(gateway.mac),
            gateway_mtu: self.gateway_mtu.unwrap_or_default(),
            ingress,
        })
    }

    /// Where packets of the host for its containers pass.
    pub(super) fn gateway_hook(&self) -> Option<Hook> {
        let gateway = self.gateway?;
        Some(Hook {
            program: Program::FromHost,
            ifindex: gateway.near,
        })
    }

    /// Looks at the way out, and has everything follow that depends on it.
    pub(super) fn repair_gateway(&mut self, repairs: &mut Vec<Repair>) -> Result<(), PortError> {
        let Some(tables) = &self.applied else {
            return Ok(());
        };
        let mtu = planner::gateway_mtu(&tables.networks);
        let told = tables.node;
        repairs.extend(self.settle_gateway(mtu));
        let entry = self.node_entry();
        if entry != told {
            let change = entry.map_or(Change::Remove(Key::Node), |entry| {
                Change::Put(Row::Node(entry))
            });
            self.write(&change)?;
            if let Some(tables) = &mut self.applied {
                tables.record(&change);
            }
        }
        let wanted = self.gateway_hook();
        let stale = |hook: &&Hook| hook.program == Program::FromHost && Some(**hook) != wanted;
        let stale: Vec<Hook> = self.hooks.iter().filter(stale).copied().collect();
        for hook in stale {
            self.datapath.detach(hook)?;
            self.hooks.remove(&hook);
        }
        if let Some(hook) = wanted
            && self.hooks.insert(hook)
        {
            self.attach_or_forget(hook)?;
        }
        Ok(())
    }
}
