//! Managers and gossip in memory.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ipnet::IpNet;

use super::{Announce, Leases};
use crate::{
    api::ApiError,
    model::{Claim, Lease, NodeId, Vni},
};

/// Gives the blocks that the test has put there, one after the other.
#[derive(Debug, Default)]
pub(super) struct FakeLeases {
    pub(super) state: Mutex<LeaseState>,
}

#[derive(Debug, Default)]
pub(super) struct LeaseState {
    pub(super) node: u128,
    pub(super) free: Vec<IpNet>,
    pub(super) asked: usize,
    pub(super) returned: Vec<Lease>,
    /// Whether no manager answers.
    pub(super) is_away: bool,
    pub(super) index: u64,
}

impl FakeLeases {
    pub(super) fn state(&self) -> MutexGuard<'_, LeaseState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LeaseState {
    fn give(&mut self, vni: Vni, block: Option<IpNet>) -> Result<Lease, ApiError> {
        self.asked += 1;
        if self.is_away {
            return Err(ApiError::conflict("no manager answers"));
        }
        let block = block.ok_or_else(|| ApiError::conflict("the network is full"))?;
        self.index += 1;
        Ok(Lease {
            vni,
            block,
            node: NodeId::from_random(self.node),
            index: self.index,
        })
    }
}

impl Leases for FakeLeases {
    async fn lease(&self, vni: Vni, is_ipv4: bool) -> Result<Lease, ApiError> {
        let mut state = self.state();
        let free = &state.free;
        let at = free
            .iter()
            .position(|block| block.addr().is_ipv4() == is_ipv4);
        let block = at.map(|at| state.free.remove(at));
        state.give(vni, block)
    }

    async fn lease_exact(&self, vni: Vni, address: IpAddr) -> Result<Lease, ApiError> {
        self.state().give(vni, Some(address.into()))
    }

    async fn give_back(&self, lease: Lease) -> Result<(), ApiError> {
        let mut state = self.state();
        if state.is_away {
            return Err(ApiError::conflict("no manager answers"));
        }
        state.returned.push(lease);
        Ok(())
    }
}

/// Remembers what it was told, in words.
#[derive(Clone, Debug, Default)]
pub(super) struct FakeAnnounce {
    pub(super) told: Arc<Mutex<Vec<String>>>,
}

impl FakeAnnounce {
    /// What was told since the last call.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, words: String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.push(words);
    }
}

impl Announce for FakeAnnounce {
    fn attend(&self, vni: Vni) {
        self.tell(format!("attend {vni}"));
    }

    fn leave(&self, vni: Vni) {
        self.tell(format!("leave {vni}"));
    }

    fn claim(&self, claim: Claim) {
        let Claim {
            vni,
            address,
            name,
            index,
            task,
            ..
        } = claim;
        let state = task
            .map(|task| format!(", {:?}", task.state))
            .unwrap_or_default();
        self.tell(format!(
            "claim {vni} {address} for {name} by {index}{state}"
        ));
    }

    fn watch(&self, nodes: BTreeSet<NodeId>) {
        self.tell(format!("watch {}", nodes.len()));
    }

    fn withdraw(&self, vni: Vni, address: IpAddr) {
        self.tell(format!("withdraw {vni} {address}"));
    }
}
