//! What travels between a node and a manager, as JSON.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    cluster::pki::{JoinToken, TokenError, TrustBundle},
    model::{Availability, NodeId, RequestId},
};

/// A host wants to become a node.
#[derive(Debug, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The same for every attempt of one join: it makes one node, however often it is sent.
    pub id: RequestId,
    /// What lets it in.
    pub token: TypedToken,
    /// The request for its certificate, PKCS #10 in PEM.
    pub csr: String,
    /// Who it is.
    pub host: Host,
}

/// What a host says about itself.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub hostname: String,
    /// Outer source of its packets.
    pub data_path: IpAddr,
    /// Where it gossips.
    pub gossip: SocketAddr,
    /// Where it would answer as a manager.
    pub control: SocketAddr,
    /// What it is wanted for.
    #[serde(default)]
    pub availability: Availability,
}

/// A host has become a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Joined {
    /// Its identifier.
    pub node: NodeId,
    /// Its certificate, PEM.
    pub certificate: String,
    /// The roots to trust.
    pub bundle: TrustBundle,
    /// Where managers answer.
    pub managers: Vec<SocketAddr>,
}

/// A node wants its certificate anew.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RenewRequest {
    /// PKCS #10 in PEM.
    pub csr: String,
}

/// The new certificate; its role is the one that the managers have for the node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Renewed {
    /// PEM.
    pub certificate: String,
    /// The roots to trust.
    pub bundle: TrustBundle,
}

/// A request with its identifier, so that it can be sent again without being done again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Numbered<R> {
    /// The same for every attempt.
    pub id: RequestId,
    /// What is wanted.
    pub request: R,
}

/// A change of the cluster's state.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Indexed<C> {
    /// Position in the managers' log after this change; whoever has seen it goes on from here.
    pub index: u64,
    /// What is new.
    pub change: C,
}

/// A line of the watch stream.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cluster) enum Line<C> {
    /// Something changed.
    Change(Indexed<C>),
    /// Nothing did, but the manager is there.
    Heartbeat,
}

/// Which of the managers' calls to each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RaftCall {
    /// New entries, or a sign of life of the leader.
    Append,
    /// A candidate asks for a vote.
    Vote,
    /// The whole state.
    Snapshot,
}

impl RaftCall {
    /// The path of the call.
    pub(in crate::cluster) const fn path(self) -> &'static str {
        match self {
            Self::Append => "/v1/raft/append",
            Self::Vote => "/v1/raft/vote",
            Self::Snapshot => "/v1/raft/snapshot",
        }
    }
}

/// A token as somebody typed it; perhaps none at all.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct TypedToken(Zeroizing<String>);

impl TypedToken {
    /// The token, if it is one.
    pub fn parse(&self) -> Result<JoinToken, TokenError> {
        self.0.parse()
    }
}

impl From<&JoinToken> for TypedToken {
    fn from(token: &JoinToken) -> Self {
        Self(token.reveal())
    }
}

impl From<String> for TypedToken {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<TypedToken> for String {
    fn from(token: TypedToken) -> Self {
        Self::clone(&token.0)
    }
}

impl fmt::Debug for TypedToken {
    /// Without the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedToken(..)")
    }
}
