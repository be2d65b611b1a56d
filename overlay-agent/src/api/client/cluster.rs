//! Questions about the cluster.

use hyper::Method;

use super::{Client, escape, query};
use crate::{
    api::{
        ClientError,
        types::{
            EndpointInfo, GossipKeys, JoinWay, NetworkConnect, NetworkCreate, NetworkCreated,
            NetworkInfo, NodeEndpoint, NodeInfo, NodeRemove, NodeUpdate, NodeUpdated, RootCa,
            SwarmInit, SwarmInitialized, SwarmJoin, SwarmJoined, SwarmLeave, SwarmUpdate,
        },
    },
    model::Role,
};

impl Client {
    /// Makes a cluster.
    pub async fn swarm_init(&self, request: &SwarmInit) -> Result<SwarmInitialized, ClientError> {
        self.post("/swarm/init".to_owned(), request).await
    }

    /// Becomes a node of a cluster.
    pub async fn swarm_join(&self, request: &SwarmJoin) -> Result<SwarmJoined, ClientError> {
        self.post("/swarm/join".to_owned(), request).await
    }

    /// Leaves the cluster.
    pub async fn swarm_leave(&self, request: SwarmLeave) -> Result<(), ClientError> {
        let query = force(request.force);
        self.ask(Method::POST, format!("/swarm/leave{query}")).await
    }

    /// How nodes of a role get in.
    pub async fn join_way(&self, role: Role) -> Result<JoinWay, ClientError> {
        self.ask(Method::GET, format!("/swarm/join-token/{role}"))
            .await
    }

    /// The same with a new token.
    pub async fn rotate_join_token(&self, role: Role) -> Result<JoinWay, ClientError> {
        self.ask(Method::POST, format!("/swarm/join-token/{role}"))
            .await
    }

    /// The certificate that every node trusts.
    pub async fn root_ca(&self) -> Result<RootCa, ClientError> {
        self.ask(Method::GET, "/swarm/ca".to_owned()).await
    }

    /// Begins to replace it.
    pub async fn rotate_root_ca(&self) -> Result<RootCa, ClientError> {
        self.ask(Method::POST, "/swarm/ca".to_owned()).await
    }

    /// The generations of the gossip's secret.
    pub async fn gossip_keys(&self) -> Result<GossipKeys, ClientError> {
        self.ask(Method::GET, "/swarm/keys".to_owned()).await
    }

    /// Adds a generation.
    pub async fn rotate_gossip_keys(&self) -> Result<GossipKeys, ClientError> {
        self.ask(Method::POST, "/swarm/keys".to_owned()).await
    }

    /// Changes settings of the cluster.
    pub async fn swarm_update(&self, request: SwarmUpdate) -> Result<(), ClientError> {
        self.post("/swarm/update".to_owned(), &request).await
    }

    /// Every node.
    pub async fn nodes(&self) -> Result<Vec<NodeInfo>, ClientError> {
        self.ask(Method::GET, "/nodes".to_owned()).await
    }

    /// One node.
    pub async fn node(&self, name: &str) -> Result<NodeInfo, ClientError> {
        self.ask(Method::GET, format!("/nodes/{}", escape(name)))
            .await
    }

    /// The endpoints of one node.
    pub async fn node_endpoints(&self, name: &str) -> Result<Vec<NodeEndpoint>, ClientError> {
        self.ask(Method::GET, format!("/nodes/{}/endpoints", escape(name)))
            .await
    }

    /// Changes a node.
    pub async fn node_update(
        &self,
        name: &str,
        request: &NodeUpdate,
    ) -> Result<NodeUpdated, ClientError> {
        self.post(format!("/nodes/{}", escape(name)), request).await
    }

    /// Forgets a node.
    pub async fn node_remove(
        &self,
        name: &str,
        request: NodeRemove,
    ) -> Result<NodeInfo, ClientError> {
        let query = force(request.force);
        self.ask(Method::DELETE, format!("/nodes/{}{query}", escape(name)))
            .await
    }

    /// Makes a network.
    pub async fn network_create(
        &self,
        request: &NetworkCreate,
    ) -> Result<NetworkCreated, ClientError> {
        self.post("/networks".to_owned(), request).await
    }

    /// Takes a network away.
    pub async fn network_remove(&self, name: &str) -> Result<NetworkInfo, ClientError> {
        self.ask(Method::DELETE, format!("/networks/{}", escape(name)))
            .await
    }

    /// Takes every network away that nothing uses.
    pub async fn networks_prune(&self) -> Result<Vec<NetworkInfo>, ClientError> {
        self.ask(Method::POST, "/prune".to_owned()).await
    }

    /// Puts an endpoint into one more network.
    pub async fn network_connect(
        &self,
        network: &str,
        request: &NetworkConnect,
    ) -> Result<EndpointInfo, ClientError> {
        self.post(format!("/networks/{}/endpoints", escape(network)), request)
            .await
    }
}

fn force(is_forced: bool) -> String {
    query([("force", is_forced.then_some("true"))])
}
