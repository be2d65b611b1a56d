//! A network in memory that can be cut, slow and lossy.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::sleep;

use super::table::Table;
use crate::{
    cluster::consensus::{Call, Consensus, Transport, TransportError},
    model::NodeId,
};

/// What all managers are plugged into.
#[derive(Clone, Default)]
pub(in super::super) struct Switch {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    managers: BTreeMap<NodeId, Consensus<Table>>,
    cut: BTreeSet<(NodeId, NodeId)>,
    delay: Duration,
    loss: u32,
    random: u64,
    sent: BTreeMap<Call, usize>,
}

/// One manager's plug.
pub(in super::super) struct Plug {
    switch: Switch,
    owner: NodeId,
}

impl Switch {
    pub(in super::super) fn plug(&self, owner: NodeId) -> Plug {
        Plug {
            switch: self.clone(),
            owner,
        }
    }

    pub(in super::super) fn attach(&self, id: NodeId, manager: &Consensus<Table>) {
        self.inner
            .lock()
            .unwrap()
            .managers
            .insert(id, manager.clone());
    }

    pub(in super::super) fn detach(&self, id: NodeId) {
        self.inner.lock().unwrap().managers.remove(&id);
    }

    /// Cuts `these` off from everybody else.
    pub(in super::super) fn split(&self, these: &[NodeId], others: &[NodeId]) {
        let mut inner = self.inner.lock().unwrap();
        for this in these {
            for other in others {
                inner.cut.insert((*this, *other));
                inner.cut.insert((*other, *this));
            }
        }
    }

    pub(in super::super) fn heal(&self) {
        self.inner.lock().unwrap().cut.clear();
    }

    /// Delays each message by up to `delay`, and loses `loss` percent.
    pub(in super::super) fn disturb(&self, delay: Duration, loss: u32, seed: u64) {
        let mut inner = self.inner.lock().unwrap();
        (inner.delay, inner.loss, inner.random) = (delay, loss, seed | 1);
    }

    pub(in super::super) fn sent(&self, call: Call) -> usize {
        self.inner
            .lock()
            .unwrap()
            .sent
            .get(&call)
            .copied()
            .unwrap_or(0)
    }

    /// The receiver, unless the message is lost, and how late it comes.
    fn route(&self, from: NodeId, to: NodeId) -> (Duration, Option<Consensus<Table>>) {
        let mut inner = self.inner.lock().unwrap();
        // xorshift64
        inner.random ^= inner.random << 13;
        inner.random ^= inner.random >> 7;
        inner.random ^= inner.random << 17;
        let lost = inner.random % 100 < u64::from(inner.loss) || inner.cut.contains(&(from, to));
        let delay = inner
            .delay
            .mul_f64(f64::from((inner.random >> 32) as u32) / f64::from(u32::MAX));
        let receiver = inner.managers.get(&to).filter(|_| !lost).cloned();
        (delay, receiver)
    }
}

impl Transport for Plug {
    async fn send(
        &self,
        to: NodeId,
        address: SocketAddr,
        call: Call,
        request: Vec<u8>,
    ) -> Result<Vec<u8>, TransportError> {
        let failed = |why: &str| TransportError {
            to,
            address,
            source: why.into(),
        };
        *self
            .switch
            .inner
            .lock()
            .unwrap()
            .sent
            .entry(call)
            .or_default() += 1;
        let (delay, receiver) = self.switch.route(self.owner, to);
        sleep(delay).await;
        let receiver = receiver.ok_or_else(|| failed("no way there"))?;
        let answer = receiver
            .receive(self.owner, call, &request)
            .await
            .map_err(|error| failed(&error.to_string()))?;
        let (delay, way_back) = self.switch.route(to, self.owner);
        sleep(delay).await;
        way_back
            .map(|_| answer)
            .ok_or_else(|| failed("no way back"))
    }
}
