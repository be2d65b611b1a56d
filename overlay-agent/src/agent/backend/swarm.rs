//! Verbs of the cluster. This agent knows networks of its configuration file only, so it refuses all
//! of them but `network connect`.

use std::sync::Arc;

use super::AgentBackend;
use crate::{
    agent::{audit::ask, directory::Ambiguous, owner::Command},
    api::{
        ApiError, Backend as _, ClusterBackend, refusals,
        types::{
            AttachRequest, EndpointInfo, GossipKeys, JoinWay, NetworkConnect, NetworkCreate,
            NetworkCreated, NetworkInfo, NodeEndpoint, NodeInfo, NodeRemove, NodeUpdate,
            NodeUpdated, RootCa, SwarmInit, SwarmInitialized, SwarmJoin, SwarmJoined, SwarmLeave,
            SwarmUpdate,
        },
    },
    model::{Attachment, Role},
};

impl ClusterBackend for AgentBackend {
    async fn swarm_init(&self, _request: SwarmInit) -> Result<SwarmInitialized, ApiError> {
        Err(refusals::is_static())
    }

    async fn swarm_join(&self, _request: SwarmJoin) -> Result<SwarmJoined, ApiError> {
        Err(refusals::is_static())
    }

    async fn swarm_leave(&self, _request: SwarmLeave) -> Result<(), ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn join_way(&self, _role: Role) -> Result<JoinWay, ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn rotate_join_token(&self, _role: Role) -> Result<JoinWay, ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn root_ca(&self) -> Result<RootCa, ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn rotate_root_ca(&self) -> Result<RootCa, ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn gossip_keys(&self) -> Result<GossipKeys, ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn rotate_gossip_keys(&self) -> Result<GossipKeys, ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn swarm_update(&self, _request: SwarmUpdate) -> Result<(), ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn nodes(&self) -> Result<Vec<NodeInfo>, ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn node(&self, _name: String) -> Result<NodeInfo, ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn node_endpoints(&self, _name: String) -> Result<Vec<NodeEndpoint>, ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn node_update(
        &self,
        _name: String,
        _request: NodeUpdate,
    ) -> Result<NodeUpdated, ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn node_remove(&self, _name: String, _request: NodeRemove) -> Result<NodeInfo, ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn network_create(&self, _request: NetworkCreate) -> Result<NetworkCreated, ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn network_remove(&self, _name: String) -> Result<NetworkInfo, ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn networks_prune(&self) -> Result<Vec<NetworkInfo>, ApiError> {
        Err(refusals::not_in_swarm())
    }

    async fn network_connect(
        &self,
        network: String,
        request: NetworkConnect,
    ) -> Result<EndpointInfo, ApiError> {
        let known = self.one_of(&request.endpoint)?;
        let made = self
            .attach(AttachRequest {
                netns: known.netns.clone(),
                network,
                name: known.name.clone(),
                addresses: request.addresses,
                mac: request.mac,
            })
            .await?;
        if made.namespace == known.namespace {
            return Ok(made);
        }
        // The path belongs to another namespace by now.
        let command = |answer| Command::Detach(made.id, None, answer);
        ask(&self.plane()?.commands, command).await??;
        Err(gone(&known))
    }
}

impl AgentBackend {
    /// The endpoint of this name or identifier; any one where a namespace has several of that name.
    fn one_of(&self, reference: &str) -> Result<Arc<Attachment>, ApiError> {
        let ambiguous = || {
            ApiError::bad_request(format!("more than one endpoint is called {reference}"))
                .with_help("give its identifier, which `overlay endpoint ls` shows")
        };
        let found = self.plane()?.shared.directory().find(reference, None);
        let found = found.map_err(|Ambiguous| ambiguous())?;
        let Some(first) = found.first() else {
            return Err(ApiError::not_found(format!(
                "there is no endpoint {reference} on this node"
            ))
            .with_help("`overlay endpoint ls` lists them"));
        };
        if found.iter().any(|other| other.namespace != first.namespace) {
            return Err(ambiguous());
        }
        Ok(Arc::clone(first))
    }
}

fn gone(endpoint: &Attachment) -> ApiError {
    ApiError::conflict(format!(
        "the network namespace of endpoint {} is gone",
        endpoint.name
    ))
    .with_help("attach its new one with `overlay attach`")
}
