//! Tables and hooks in memory, shared with the test, which plays the operator who breaks things.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::{
    control::{Datapath, Hook, Inspect, Key, PortError, PortErrorKind, Program, Row, Table},
    model::{BackendId, PeerId},
};

#[derive(Debug, Default)]
pub(in crate::control) struct State {
    pub(in crate::control) rows: BTreeMap<Key, Row>,
    /// What is attached, and for which vxlan device its program was loaded.
    pub(in crate::control) hooks: BTreeMap<Hook, u32>,
    pub(in crate::control) tunnel: u32,
    /// How many more writes succeed.
    pub(in crate::control) writes_left: Option<u32>,
    pub(in crate::control) writes: u64,
    /// Entries that the test took away; that others still name them is not the writer's fault.
    pub(in crate::control) stolen: BTreeSet<Key>,
}

/// A data plane that panics at the first write after which an entry names something that is not
/// there.
#[derive(Clone, Debug, Default)]
pub(in crate::control) struct FakeDatapath {
    pub(in crate::control) state: Rc<RefCell<State>>,
}

impl State {
    /// Takes an entry away behind the writer's back.
    pub(in crate::control) fn steal(&mut self, key: Key) {
        self.rows.remove(&key);
        self.stolen.insert(key);
    }

    /// Entries that name something that is not there.
    fn dangling(&self) -> Vec<Key> {
        let names_nobody = |row: &Row| {
            let named = match row {
                Row::Route(_, entry) | Row::Block(_, _, entry) => Key::Peer(entry.peer),
                Row::PeerAddress(_, peer) => Key::Peer(*peer),
                Row::Endpoint(_, entry) => Key::Interface(entry.ifindex),
                Row::Transit(_, place) => Key::Endpoint(*place),
                Row::Peer(..)
                | Row::Network(..)
                | Row::Interface(..)
                | Row::OwnAddress(..)
                | Row::Port(..)
                | Row::Vip(..)
                | Row::Backend(..)
                | Row::Namespace(..)
                | Row::Node(_) => return false,
                Row::Slots(_, slots) => {
                    let is_there = |number: &u32| {
                        let backend = Key::Backend(BackendId(*number));
                        *number == 0
                            || self.rows.contains_key(&backend)
                            || self.stolen.contains(&backend)
                    };
                    return !slots.iter().all(is_there);
                }
            };
            named != Key::Peer(PeerId::NOBODY)
                && !self.rows.contains_key(&named)
                && !self.stolen.contains(&named)
        };
        let dangling = self.rows.values().filter(|row| names_nobody(row));
        dangling.map(Row::key).collect()
    }

    fn write(&mut self, change: impl FnOnce(&mut Self)) -> Result<(), PortError> {
        if self.writes_left == Some(0) {
            return Err(PortError::new(
                "write",
                "a table",
                PortErrorKind::Full,
                "no room",
            ));
        }
        self.writes_left = self.writes_left.map(|left| left - 1);
        self.writes += 1;
        change(self);
        let dangling = self.dangling();
        assert!(dangling.is_empty(), "entries name nothing: {dangling:?}");
        Ok(())
    }
}

impl Inspect for FakeDatapath {
    fn get(&self, key: &Key) -> Result<Option<Row>, PortError> {
        Ok(self.state.borrow().rows.get(key).copied())
    }

    fn rows(&self, table: Table, visit: &mut dyn FnMut(Row)) -> Result<u64, PortError> {
        let state = self.state.borrow();
        let rows = state.rows.values().filter(|row| row.key().table() == table);
        rows.for_each(|row| visit(*row));
        Ok(0)
    }

    fn is_attached(&self, hook: Hook) -> Result<bool, PortError> {
        let state = self.state.borrow();
        Ok(state.hooks.get(&hook) == Some(&state.tunnel))
    }
}

impl Datapath for FakeDatapath {
    fn put(&mut self, row: &Row) -> Result<(), PortError> {
        self.state.borrow_mut().write(|state| {
            state.rows.insert(row.key(), *row);
        })
    }

    fn remove(&mut self, key: &Key) -> Result<(), PortError> {
        self.state.borrow_mut().write(|state| {
            state.rows.remove(key);
        })
    }

    fn purge(&mut self, _table: Table) -> Result<u64, PortError> {
        Ok(0)
    }

    fn attach(&mut self, hook: Hook) -> Result<(), PortError> {
        let mut state = self.state.borrow_mut();
        let is_other_tunnel = hook.program == Program::FromTunnel && hook.ifindex != state.tunnel;
        if is_other_tunnel {
            return Err(PortError::new(
                "attach",
                "a hook",
                PortErrorKind::Gone,
                "no device",
            ));
        }
        let tunnel = state.tunnel;
        state.hooks.insert(hook, tunnel);
        Ok(())
    }

    fn detach(&mut self, hook: Hook) -> Result<(), PortError> {
        self.state.borrow_mut().hooks.remove(&hook);
        Ok(())
    }

    fn hooks(&self) -> Result<Vec<Hook>, PortError> {
        Ok(self.state.borrow().hooks.keys().copied().collect())
    }

    fn retarget(&mut self, tunnel_ifindex: u32) -> Result<(), PortError> {
        self.state.borrow_mut().tunnel = tunnel_ifindex;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::conformance;

    #[test]
    fn the_fake_does_what_a_data_plane_must() {
        let mut datapath = FakeDatapath::default();
        datapath.state.borrow_mut().tunnel = 3;

        conformance::tables_hold_what_is_written(&mut datapath);
        conformance::blocks_are_told_apart(&mut datapath);
        let hook = Hook {
            program: Program::FromTunnel,
            ifindex: 3,
        };
        conformance::hooks_come_and_go(&mut datapath, hook);
    }
}
