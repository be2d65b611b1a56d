//! What the service asks of the manager behind it.

use std::{future::Future, net::SocketAddr};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde::{Serialize, de::DeserializeOwned};

use super::{Host, Indexed, Joined, RaftCall, Renewed, ServiceError};
use crate::{
    cluster::pki::JoinTokens,
    model::{NodeId, RequestId, Role},
};

/// Changes as they come. The end means that this manager cannot tell any more, and sends the watcher to
/// another one.
pub type Changes<C> = BoxStream<'static, Indexed<C>>;

/// Whether a node is one, as far as this manager knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It is, with this role.
    Member(Role),
    /// It was, and was removed. Its certificate counts no more.
    Removed,
    /// Not heard of. A manager that lags behind has not heard of new nodes, and a new one of nobody, so
    /// the certificate decides.
    Unknown,
    /// It is not known here, and this manager may be behind: consensus alone is let in.
    Unheard,
}

/// Who may send a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Privilege {
    /// Any node, about itself.
    Node,
    /// Managers.
    Manager,
}

/// Who asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The node.
    pub node: NodeId,
    /// What it may do: the lesser of its certificate's role and the one that the managers have for it.
    pub role: Role,
}

/// A host whose token is right.
#[derive(Clone, Debug)]
pub struct Joining {
    /// The same for every attempt.
    pub id: RequestId,
    /// By the token.
    pub role: Role,
    /// PKCS #10 in PEM, not looked at yet.
    pub csr: String,
    /// What it says about itself.
    pub host: Host,
    /// Where it came from.
    pub from: SocketAddr,
}

/// The manager behind the service. What must be decided by the leader is refused by others with
/// [`ServiceError::not_leader`].
pub trait Managers: Send + Sync + 'static {
    /// What nodes ask for.
    type Request: DeserializeOwned + Send + 'static;
    /// The answers to it.
    type Reply: Serialize + Send + 'static;
    /// What watchers are told.
    type Change: Serialize + Send + 'static;

    /// Who may ask for this.
    fn privilege(request: &Self::Request) -> Privilege;

    /// What is known about a node here and now; nobody else is asked.
    fn standing(&self, node: NodeId) -> Standing;

    /// The tokens that count now: only the leader knows.
    fn tokens(&self) -> impl Future<Output = Result<JoinTokens, ServiceError>> + Send;

    /// Makes a node. The same identifier again gives the same node.
    fn join(&self, host: Joining) -> impl Future<Output = Result<Joined, ServiceError>> + Send;

    /// A new certificate for the key of `csr` (PKCS #10 in PEM, not looked at yet), with the role that the
    /// node has now.
    fn renew(
        &self,
        node: NodeId,
        csr: String,
    ) -> impl Future<Output = Result<Renewed, ServiceError>> + Send;

    /// Changes after an index; from nothing, or from an index that is too long ago, the first one is
    /// everything.
    fn watch(
        &self,
        node: NodeId,
        after: Option<u64>,
    ) -> impl Future<Output = Result<Changes<Self::Change>, ServiceError>> + Send;

    /// Does what a caller with the privilege asks for. The same identifier again does nothing more and
    /// gives the same reply.
    fn request(
        &self,
        caller: Caller,
        id: RequestId,
        request: Self::Request,
    ) -> impl Future<Output = Result<Self::Reply, ServiceError>> + Send;

    /// Hands a call of another manager to consensus.
    fn raft(
        &self,
        from: NodeId,
        call: RaftCall,
        body: Bytes,
    ) -> impl Future<Output = Result<Bytes, ServiceError>> + Send;
}
