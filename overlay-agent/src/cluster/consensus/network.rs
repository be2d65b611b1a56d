//! openraft's network over a `Transport`.

use std::{
    collections::BTreeMap,
    error::Error as StdError,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use openraft::{
    RaftNetwork, RaftNetworkFactory,
    error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable},
    network::{Backoff, RPCOption},
    raft::InstallSnapshotResponse,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use super::{
    Call, Transport,
    message::{
        AppendRequest, AppendResponse, BallotRequest, BallotResponse, SnapshotRequest,
        SnapshotResponse, decode, encode,
    },
    store::Epoch,
    types::{Peer, RaftId, TypeConfig},
};

type CallError<E = RaftError<RaftId>> = RPCError<RaftId, Peer, E>;

/// Makes connections to other managers.
pub(super) struct Network<T> {
    pub(super) transport: Arc<T>,
    pub(super) epoch: Arc<Epoch>,
    pub(super) contacts: Arc<Contacts>,
    pub(super) retry: Duration,
}

/// When each of the other managers last answered.
#[derive(Debug, Default)]
pub(super) struct Contacts(Mutex<BTreeMap<RaftId, Instant>>);

impl Contacts {
    pub(super) fn since(&self, id: RaftId) -> Option<Duration> {
        let contacts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        contacts.get(&id).map(Instant::elapsed)
    }

    fn note(&self, id: RaftId) {
        let mut contacts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        contacts.insert(id, Instant::now());
    }
}

/// One other manager.
pub(super) struct Connection<T> {
    transport: Arc<T>,
    epoch: Arc<Epoch>,
    contacts: Arc<Contacts>,
    retry: Duration,
    to: RaftId,
    peer: Peer,
}

impl<T: Transport> RaftNetworkFactory<TypeConfig> for Network<T> {
    type Network = Connection<T>;

    async fn new_client(&mut self, to: RaftId, peer: &Peer) -> Connection<T> {
        Connection {
            transport: Arc::clone(&self.transport),
            epoch: Arc::clone(&self.epoch),
            contacts: Arc::clone(&self.contacts),
            retry: self.retry,
            to,
            peer: *peer,
        }
    }
}

impl<T: Transport> Connection<T> {
    async fn call<Q: Serialize, A: DeserializeOwned, E: StdError>(
        &self,
        call: Call,
        request: &Q,
    ) -> Result<A, CallError<E>> {
        let epoch = self.epoch.get().unwrap_or_default();
        let request = encode(epoch, request).map_err(|error| NetworkError::new(&error))?;
        let answer = self
            .transport
            .send(self.to.into(), self.peer.address, call, request)
            .await
            .map_err(|error| Unreachable::new(&error))?;
        let (_, answer) = decode(&answer).map_err(|error| Unreachable::new(&error))?;
        self.contacts.note(self.to);
        Ok(answer)
    }
}

impl<T: Transport> RaftNetwork<TypeConfig> for Connection<T> {
    async fn append_entries(
        &mut self,
        request: AppendRequest,
        _option: RPCOption,
    ) -> Result<AppendResponse, CallError> {
        self.call(Call::Append, &request).await
    }

    async fn install_snapshot(
        &mut self,
        request: SnapshotRequest,
        _option: RPCOption,
    ) -> Result<InstallSnapshotResponse<RaftId>, CallError<RaftError<RaftId, InstallSnapshotError>>>
    {
        let answer: SnapshotResponse = self.call(Call::Snapshot, &request).await?;
        answer.map_err(|error| RemoteError::new(self.to, RaftError::APIError(error)).into())
    }

    async fn vote(
        &mut self,
        request: BallotRequest,
        _option: RPCOption,
    ) -> Result<BallotResponse, CallError> {
        self.call(Call::Vote, &request).await
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(self.retry))
    }
}
