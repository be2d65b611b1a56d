//! What the agent does about the cluster when it is asked.
//!
//! Every method refuses with `refusals::not_in_swarm` outside a cluster, except `swarm_init` and
//! `swarm_join`, which refuse inside one, and `network_connect`. Those for managers only refuse on a
//! worker with `refusals::not_a_manager`, and with `refusals::no_leader` while too few managers are
//! there. Nothing of tokens, keys and certificates is ever logged.

use super::{
    ApiError,
    types::{
        EndpointInfo, GossipKeys, JoinWay, NetworkConnect, NetworkCreate, NetworkCreated,
        NetworkInfo, NodeEndpoint, NodeInfo, NodeRemove, NodeUpdate, NodeUpdated, RootCa,
        SwarmInit, SwarmInitialized, SwarmJoin, SwarmJoined, SwarmLeave, SwarmUpdate,
    },
};
use crate::model::Role;

/// One method for each verb of `swarm`, `node` and `network`; the server calls them concurrently.
///
/// A node is named by `self`, its identifier, its host name, or a unique beginning of its identifier, in
/// this order; a network by its name, its identifier or a unique beginning of that.
pub trait ClusterBackend: Send + Sync + 'static {
    /// Makes a cluster with this node as its manager; with `force_new_cluster` it is a manager of a
    /// cluster already, and goes on alone.
    fn swarm_init(
        &self,
        request: SwarmInit,
    ) -> impl Future<Output = Result<SwarmInitialized, ApiError>> + Send;

    /// Becomes a node of a cluster. Nothing of it is left when that fails.
    fn swarm_join(
        &self,
        request: SwarmJoin,
    ) -> impl Future<Output = Result<SwarmJoined, ApiError>> + Send;

    /// Leaves the cluster: its networks, endpoints and secrets are gone from this node.
    fn swarm_leave(&self, request: SwarmLeave)
    -> impl Future<Output = Result<(), ApiError>> + Send;

    /// How nodes of a role get in. Managers only.
    fn join_way(&self, role: Role) -> impl Future<Output = Result<JoinWay, ApiError>> + Send;

    /// The same with a new token; the old one is worth nothing from now on. Managers only.
    fn rotate_join_token(
        &self,
        role: Role,
    ) -> impl Future<Output = Result<JoinWay, ApiError>> + Send;

    /// The certificate that every node trusts. Managers only.
    fn root_ca(&self) -> impl Future<Output = Result<RootCa, ApiError>> + Send;

    /// Begins to replace it, and every node's with it. Managers only.
    fn rotate_root_ca(&self) -> impl Future<Output = Result<RootCa, ApiError>> + Send;

    /// The generations of the gossip's secret, without the secrets. Managers only.
    fn gossip_keys(&self) -> impl Future<Output = Result<GossipKeys, ApiError>> + Send;

    /// Adds a generation, which is used as soon as the nodes have it. Managers only.
    fn rotate_gossip_keys(&self) -> impl Future<Output = Result<GossipKeys, ApiError>> + Send;

    /// Changes settings of the cluster. Managers only.
    fn swarm_update(
        &self,
        request: SwarmUpdate,
    ) -> impl Future<Output = Result<(), ApiError>> + Send;

    /// Every node, sorted by host name and identifier. Managers only.
    fn nodes(&self) -> impl Future<Output = Result<Vec<NodeInfo>, ApiError>> + Send;

    /// One node. Managers only.
    fn node(&self, name: String) -> impl Future<Output = Result<NodeInfo, ApiError>> + Send;

    /// The endpoints of one node, sorted by network and name.
    fn node_endpoints(
        &self,
        name: String,
    ) -> impl Future<Output = Result<Vec<NodeEndpoint>, ApiError>> + Send;

    /// Changes a node: availability, role, labels. Managers only. That the last manager, or one
    /// without which the others could not decide, loses its role is refused.
    fn node_update(
        &self,
        name: String,
        request: NodeUpdate,
    ) -> impl Future<Output = Result<NodeUpdated, ApiError>> + Send;

    /// Forgets a node, whose certificate and keys are worth nothing from now on, and returns it.
    /// Managers only. A manager is always refused, a node that answers unless forced.
    fn node_remove(
        &self,
        name: String,
        request: NodeRemove,
    ) -> impl Future<Output = Result<NodeInfo, ApiError>> + Send;

    /// Makes a network. Managers only.
    fn network_create(
        &self,
        request: NetworkCreate,
    ) -> impl Future<Output = Result<NetworkCreated, ApiError>> + Send;

    /// Takes a network away and returns it, without containers and peers. Managers only. One that is
    /// used is refused (`refusals::network_in_use`).
    fn network_remove(
        &self,
        name: String,
    ) -> impl Future<Output = Result<NetworkInfo, ApiError>> + Send;

    /// Takes every network away that nothing uses, and returns them. Managers only.
    fn networks_prune(&self) -> impl Future<Output = Result<Vec<NetworkInfo>, ApiError>> + Send;

    /// Puts an endpoint of this node into one more network, under its name.
    fn network_connect(
        &self,
        network: String,
        request: NetworkConnect,
    ) -> impl Future<Output = Result<EndpointInfo, ApiError>> + Send;
}
