//! Managers in memory: one cluster, any number of doors to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    Caller, Changes, ErrorKind, Indexed, Joined, Joining, Managers, Privilege, RaftCall, Renewed,
    ServiceError, Standing,
};
use crate::{
    cluster::pki::{
        JoinToken, JoinTokens, LIFETIME,
        testing::{NOW, World},
    },
    model::{NodeId, RequestId, Role, chain},
};

/// What all managers agree on.
pub(in crate::cluster) struct Cluster {
    state: Mutex<State>,
    last: watch::Sender<u64>,
}

pub(in crate::cluster) struct State {
    pub(in crate::cluster) world: World,
    pub(in crate::cluster) tokens: JoinTokens,
    pub(in crate::cluster) roles: BTreeMap<NodeId, Role>,
    pub(in crate::cluster) removed: BTreeSet<NodeId>,
    pub(in crate::cluster) leader: Option<SocketAddr>,
    pub(in crate::cluster) managers: Vec<SocketAddr>,
    /// Requests that were done, each once.
    pub(in crate::cluster) done: Vec<(NodeId, FakeRequest)>,
    replies: BTreeMap<RequestId, String>,
    joined: BTreeMap<RequestId, Joined>,
    changes: Vec<String>,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cluster) enum FakeRequest {
    Lease(String),
    CreateNetwork(String),
}

/// One manager of the cluster.
pub(in crate::cluster) struct FakeManager {
    pub(in crate::cluster) cluster: Arc<Cluster>,
    pub(in crate::cluster) address: SocketAddr,
}

impl Cluster {
    pub(in crate::cluster) fn new() -> Arc<Self> {
        let world = World::new();
        let digest = world.authority.digest();
        let tokens = JoinTokens {
            worker: JoinToken::from_random(digest, 11),
            manager: JoinToken::from_random(digest, 12),
        };
        Arc::new(Self {
            state: Mutex::new(State {
                world,
                tokens,
                roles: BTreeMap::new(),
                removed: BTreeSet::new(),
                leader: None,
                managers: Vec::new(),
                done: Vec::new(),
                replies: BTreeMap::new(),
                joined: BTreeMap::new(),
                changes: Vec::new(),
            }),
            last: watch::Sender::new(0),
        })
    }

    pub(in crate::cluster) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The first change has the index 1.
    pub(in crate::cluster) fn publish(&self, change: &str) {
        let mut state = self.state();
        state.changes.push(change.to_owned());
        self.last.send_replace(state.changes.len() as u64);
    }

    fn changes_after(self: Arc<Self>, index: u64) -> Changes<String> {
        let receiver = self.last.subscribe();
        stream::unfold(
            (self, receiver, index),
            async |(cluster, mut last, index)| {
                last.wait_for(|last| *last > index).await.ok()?;
                let index = index + 1;
                let change = cluster.state().changes[index as usize - 1].clone();
                Some((Indexed { index, change }, (cluster, last, index)))
            },
        )
        .boxed()
    }
}

impl FakeManager {
    fn led(&self) -> Result<MutexGuard<'_, State>, ServiceError> {
        let state = self.cluster.state();
        if state.leader == Some(self.address) {
            Ok(state)
        } else {
            Err(ServiceError::not_leader(state.leader))
        }
    }
}

impl Managers for FakeManager {
    type Request = FakeRequest;
    type Reply = String;
    type Change = String;

    fn privilege(request: &FakeRequest) -> Privilege {
        match request {
            FakeRequest::Lease(_) => Privilege::Node,
            FakeRequest::CreateNetwork(_) => Privilege::Manager,
        }
    }

    fn standing(&self, node: NodeId) -> Standing {
        let state = self.cluster.state();
        if state.removed.contains(&node) {
            return Standing::Removed;
        }
        let role = state.roles.get(&node).copied();
        role.map_or(Standing::Unknown, Standing::Member)
    }

    async fn tokens(&self) -> Result<JoinTokens, ServiceError> {
        Ok(self.led()?.tokens.clone())
    }

    async fn join(&self, host: Joining) -> Result<Joined, ServiceError> {
        let mut state = self.led()?;
        if let Some(joined) = state.joined.get(&host.id) {
            return Ok(joined.clone());
        }
        let node = NodeId::from_random(1_000 + state.joined.len() as u128);
        let authority = &state.world.authority;
        let issued = authority.issue(&host.csr, node, host.role, NOW, LIFETIME);
        let joined = Joined {
            node,
            certificate: issued
                .map_err(|error| ServiceError::new(ErrorKind::Malformed, chain(&error)))?,
            bundle: state.world.bundle.clone(),
            managers: state.managers.clone(),
        };
        state.roles.insert(node, host.role);
        state.joined.insert(host.id, joined.clone());
        Ok(joined)
    }

    async fn renew(&self, node: NodeId, csr: String) -> Result<Renewed, ServiceError> {
        let state = self.led()?;
        let role = state.roles.get(&node).copied().unwrap_or(Role::Worker);
        let authority = &state.world.authority;
        let issued = authority.issue(&csr, node, role, NOW, LIFETIME);
        Ok(Renewed {
            certificate: issued
                .map_err(|error| ServiceError::new(ErrorKind::Malformed, chain(&error)))?,
            bundle: state.world.bundle.clone(),
        })
    }

    async fn watch(
        &self,
        _node: NodeId,
        after: Option<u64>,
    ) -> Result<Changes<String>, ServiceError> {
        Ok(Arc::clone(&self.cluster).changes_after(after.unwrap_or(0)))
    }

    async fn request(
        &self,
        caller: Caller,
        id: RequestId,
        request: FakeRequest,
    ) -> Result<String, ServiceError> {
        let mut state = self.led()?;
        if let Some(reply) = state.replies.get(&id) {
            return Ok(reply.clone());
        }
        state.done.push((caller.node, request.clone()));
        let reply = format!("{} did {request:?}", caller.role);
        state.replies.insert(id, reply.clone());
        Ok(reply)
    }

    async fn raft(&self, from: NodeId, call: RaftCall, body: Bytes) -> Result<Bytes, ServiceError> {
        let mut answer = format!("{call:?} from {from}: ").into_bytes();
        answer.extend_from_slice(&body);
        Ok(answer.into())
    }
}
