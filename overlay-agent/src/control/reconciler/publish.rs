//! Published ports: the host's own processes must not have what the data plane answers.

use std::collections::BTreeSet;

use super::{Datapath, Plumbing, PortError, PortErrorKind, Reconciler, Tables, Underlay};
use crate::model::PortKey;

impl<D: Datapath, U: Underlay, P: Plumbing> Reconciler<D, U, P> {
    /// Ports that should be answered and that somebody else has, with the reason.
    pub fn refused_ports(&self) -> impl Iterator<Item = (&PortKey, &str)> {
        let refused = self.refused_ports.iter();
        refused.map(|(key, reason)| (key, reason.as_str()))
    }

    /// Keeps ports for an endpoint that is about to come; none of them is kept when one is taken.
    pub fn reserve(&mut self, keys: &[PortKey]) -> Result<(), PortError> {
        let tables = self.applied.as_ref();
        let ports = tables.map(|tables| &tables.ports);
        let published = keys
            .iter()
            .find(|key| ports.is_some_and(|ports| ports.contains_key(key)));
        if let Some(key) = published {
            let source = format!("{key} is published already");
            return Err(PortError::new("publish", key, PortErrorKind::Taken, source));
        }
        let new: Vec<PortKey> = keys
            .iter()
            .copied()
            .filter(|key| !self.held_ports.contains(key))
            .collect();
        for key in &new {
            if let Err(error) = self.plumbing.hold_port(key) {
                for key in &new {
                    self.plumbing.release_port(key);
                }
                return Err(error);
            }
        }
        self.held_ports.extend(new);
        Ok(())
    }

    /// Gives ports back.
    pub fn release(&mut self, keys: impl IntoIterator<Item = PortKey>) {
        for key in keys {
            self.held_ports.remove(&key);
            self.plumbing.release_port(&key);
        }
    }

    /// Keeps the ports of `desired` from everybody else, and leaves out those that somebody has. What is
    /// answered already goes on: while no agent ran, nobody kept the port.
    pub(super) fn hold_wanted(&mut self, actual: &Tables, desired: &mut Tables) {
        let mut refused = std::mem::take(&mut self.refused_ports);
        refused.retain(|key, _| desired.ports.contains_key(key));
        self.refused_ports = refused;
        desired
            .ports
            .retain(|key, _| self.hold(key) || actual.ports.contains_key(key));
    }

    /// Keeps one port from everybody else; false if somebody has it.
    pub(super) fn hold(&mut self, key: &PortKey) -> bool {
        if self.held_ports.contains(key) {
            return true;
        }
        let refused = &mut self.refused_ports;
        match self.plumbing.hold_port(key) {
            Ok(()) => {
                self.held_ports.insert(*key);
                refused.remove(key);
                true
            }
            Err(error) => {
                let reason = reason(&error);
                if refused.insert(*key, reason.clone()).as_ref() != Some(&reason) {
                    tracing::warn!(port = %key, reason, "a published port is not this node's to answer");
                }
                false
            }
        }
    }

    /// Gives back what `desired` does not publish any more.
    pub(super) fn release_unwanted(&mut self, desired: &Tables) {
        let unwanted: BTreeSet<PortKey> = self
            .held_ports
            .iter()
            .copied()
            .filter(|key| !desired.ports.contains_key(key))
            .collect();
        self.release(unwanted);
    }
}

/// What the layer below says, which names the holder.
fn reason(error: &PortError) -> String {
    error.source.to_string()
}
