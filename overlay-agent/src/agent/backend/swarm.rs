//! Verbs of the cluster.

use std::{collections::BTreeSet, sync::Arc};

use ipnet::IpNet;

use super::{AgentBackend, roster};
use crate::{
    agent::{
        audit::ask,
        directory::Ambiguous,
        owner::Command,
        swarm::{Access, Life, refused},
    },
    api::{
        ApiError, Backend as _, ClusterBackend, refusals,
        types::{
            AttachRequest, EndpointInfo, GossipKeys, JoinToken, JoinWay, NetworkConnect,
            NetworkCreate, NetworkCreated, NetworkInfo, NodeEndpoint, NodeInfo, NodeRemove,
            NodeState, NodeUpdate, NodeUpdated, RootCa, SwarmInit, SwarmInitialized, SwarmJoin,
            SwarmJoined, SwarmLeave, SwarmUpdate,
        },
    },
    cluster::{
        consensus::ReplicatedLog as _,
        manager::{Manager, rotated_token},
        state::{Change, CreateNetwork, Family, Refusal, Reply, Secret, Times},
    },
    model::{Attachment, ClusterNetwork, NetworkId, NodeId, Role},
    netlink::Socket,
};

impl AgentBackend {
    fn life(&self) -> Result<&Life, ApiError> {
        self.life.as_deref().ok_or_else(refusals::is_static)
    }

    /// What the swarm is asked through, if this node is part of one.
    pub(super) fn access(&self) -> Result<Arc<Access>, ApiError> {
        let life = self.life.as_ref().ok_or_else(refusals::not_in_swarm)?;
        life.access()
    }

    fn manager(&self) -> Result<Arc<Access>, ApiError> {
        let life = self.life.as_ref().ok_or_else(refusals::not_in_swarm)?;
        life.manager_access()
    }

    /// The node that a manager means by a name, which may have left.
    fn find_node(access: &Access, name: &str) -> Result<NodeId, ApiError> {
        if name == "self" {
            return Ok(access.kept.node);
        }
        let manager = access.manager.as_ref();
        let manager = manager.ok_or_else(refusals::not_a_manager)?;
        manager.consensus().with_state(|state| {
            let found = state.find_node(name);
            found
                .map(|record| record.member.id)
                .map_err(|refusal| refused(&refusal))
        })
    }

    fn node_info(access: &Access, node: NodeId) -> Result<NodeInfo, ApiError> {
        let all = roster::nodes(access);
        let found = all.into_iter().find(|info| info.id == node);
        found.ok_or_else(|| {
            refused(&Refusal::NoNode {
                node: node.to_string(),
            })
        })
    }

    async fn remove_network(
        &self,
        access: &Access,
        network: &ClusterNetwork,
    ) -> Result<NetworkInfo, ApiError> {
        let plane = self.plane()?;
        let endpoints = roster::users(access, &plane.shared, network.network.vni).await;
        let change = Change::RemoveNetwork {
            network: network.id,
            endpoints,
        };
        access.managers.change(change).await?;
        Ok(roster::outline(&plane.shared, network))
    }
}

impl ClusterBackend for AgentBackend {
    async fn swarm_init(&self, request: SwarmInit) -> Result<SwarmInitialized, ApiError> {
        self.life()?.init(request).await
    }

    async fn swarm_join(&self, request: SwarmJoin) -> Result<SwarmJoined, ApiError> {
        self.life()?.join(request).await
    }

    async fn swarm_leave(&self, request: SwarmLeave) -> Result<(), ApiError> {
        let life = self.life.as_ref().ok_or_else(refusals::not_in_swarm)?;
        life.leave(request).await
    }

    async fn join_way(&self, role: Role) -> Result<JoinWay, ApiError> {
        let access = self.manager()?;
        let tokens = access.manager.as_ref().and_then(Manager::join_tokens);
        let tokens = tokens.ok_or_else(refusals::no_leader)?;
        let token = match role {
            Role::Worker => &tokens.worker,
            Role::Manager => &tokens.manager,
        };
        Ok(JoinWay {
            role,
            token: JoinToken::new(token.reveal().to_string()),
            address: access.kept.control,
        })
    }

    async fn rotate_join_token(&self, role: Role) -> Result<JoinWay, ApiError> {
        let access = self.manager()?;
        let tokens = access.manager.as_ref().and_then(Manager::join_tokens);
        let tokens = tokens.ok_or_else(refusals::no_leader)?;
        let (change, token) = rotated_token(role, &tokens.worker);
        access.managers.change(change).await?;
        Ok(JoinWay {
            role,
            token: JoinToken::new(token.reveal().to_string()),
            address: access.kept.control,
        })
    }

    async fn root_ca(&self) -> Result<RootCa, ApiError> {
        let access = self.manager()?;
        let root = access.manager.as_ref().and_then(Manager::root);
        let (pem, expires, outdated) = root.ok_or_else(refusals::no_leader)?;
        let nodes = roster::nodes(&access);
        let is_absent =
            |node: &&NodeInfo| outdated.contains(&node.id) && node.status.state != NodeState::Ready;
        let absent = nodes.iter().filter(is_absent);
        Ok(RootCa {
            pem,
            expires,
            outdated_nodes: outdated.len() as u64,
            absent: absent
                .map(|node| node.description.hostname.clone())
                .collect(),
        })
    }

    async fn rotate_root_ca(&self) -> Result<RootCa, ApiError> {
        let access = self.manager()?;
        let manager = access
            .manager
            .as_ref()
            .ok_or_else(refusals::not_a_manager)?;
        let next = manager.next_authority().ok_or_else(refusals::no_leader)?;
        let (change, name) = next.map_err(|error| ApiError::internal(&error))?;
        access.managers.change(change).await?;
        // Who joins with the new token by this manager finds it able to prove itself.
        access.has_authority(manager, &name).await;
        self.root_ca().await
    }

    async fn gossip_keys(&self) -> Result<GossipKeys, ApiError> {
        let access = self.manager()?;
        let manager = access
            .manager
            .as_ref()
            .ok_or_else(refusals::not_a_manager)?;
        let rotated = manager
            .consensus()
            .with_state(|state| state.keys_rotated().unwrap_or_default());
        let view = access.view.borrow();
        Ok(GossipKeys {
            primary: view.keys.primary,
            accepted: view.keys.keys.iter().map(|key| key.number).collect(),
            rotated,
            period_s: manager.key_rotation(),
        })
    }

    async fn rotate_gossip_keys(&self) -> Result<GossipKeys, ApiError> {
        let secret = Secret::new(rand::random());
        let access = self.manager()?;
        access
            .managers
            .change(Change::RotateKeys { secret })
            .await?;
        self.gossip_keys().await
    }

    async fn swarm_update(&self, request: SwarmUpdate) -> Result<(), ApiError> {
        let access = self.manager()?;
        let times = Times {
            certificates: request.cert_expiry_s,
            keys: request.key_rotation_s,
        };
        access.managers.change(Change::SetTimes(times)).await?;
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<NodeInfo>, ApiError> {
        Ok(roster::nodes(&*self.manager()?))
    }

    async fn node(&self, name: String) -> Result<NodeInfo, ApiError> {
        let access = self.manager()?;
        Self::node_info(&access, Self::find_node(&access, &name)?)
    }

    async fn node_endpoints(&self, name: String) -> Result<Vec<NodeEndpoint>, ApiError> {
        let access = self.access()?;
        let node = Self::find_node(&access, &name)?;
        let plane = self.plane()?;
        Ok(roster::endpoints(&access, &plane.shared, node).await)
    }

    async fn node_update(
        &self,
        name: String,
        request: NodeUpdate,
    ) -> Result<NodeUpdated, ApiError> {
        let access = self.manager()?;
        let node = Self::find_node(&access, &name)?;
        let before = Self::node_info(&access, node)?;
        let NodeUpdate {
            availability,
            role,
            add_labels: add,
            remove_labels: remove,
        } = request;
        if !add.is_empty() || !remove.is_empty() {
            let change = Change::SetLabels { node, add, remove };
            access.managers.change(change).await?;
        }
        if let Some(availability) = availability {
            let change = Change::SetAvailability { node, availability };
            access.managers.change(change).await?;
        }
        if let Some(role) = role {
            let down = BTreeSet::new();
            let change = Change::SetRole { node, role, down };
            access.managers.change(change).await?;
        }
        let node = Self::node_info(&access, node)?;
        let changed = node.spec != before.spec;
        Ok(NodeUpdated { node, changed })
    }

    async fn node_remove(&self, name: String, request: NodeRemove) -> Result<NodeInfo, ApiError> {
        let access = self.manager()?;
        let node = Self::find_node(&access, &name)?;
        let info = Self::node_info(&access, node)?;
        let change = Change::RemoveNode {
            node,
            force: request.force,
            is_down: false,
            secret: Secret::new(rand::random()),
        };
        access.managers.change(change).await?;
        Ok(info)
    }

    async fn network_create(&self, request: NetworkCreate) -> Result<NetworkCreated, ApiError> {
        let access = self.manager()?;
        let families = [(Family::Ipv4, request.ipv4), (Family::Ipv6, request.ipv6)];
        let families = families.into_iter().filter(|(_, is_wanted)| *is_wanted);
        let families = families.map(|(family, _)| family).collect();
        let wish = CreateNetwork {
            id: NetworkId::from_random(rand::random()),
            name: request.name,
            subnets: request.subnets,
            ranges: request.ranges,
            gateways: request.gateways,
            kept: request.reserved.into_values().collect(),
            families,
            internal: request.internal,
            attachable: request.attachable,
            ingress: request.ingress,
            labels: request.labels,
            options: request.options,
            host_routes: host_routes()?,
        };
        match access
            .managers
            .change(Change::CreateNetwork(Box::new(wish)))
            .await?
        {
            Reply::Network { id, .. } => Ok(NetworkCreated {
                id,
                warnings: Vec::new(),
            }),
            Reply::Done | Reply::Leases(_) | Reply::Reaped(_) | Reply::Service { .. } => Err(
                ApiError::unavailable("the managers answered without a network"),
            ),
        }
    }

    async fn network_remove(&self, name: String) -> Result<NetworkInfo, ApiError> {
        let access = self.manager()?;
        let network = roster::find_network(&access, &name)?;
        self.remove_network(&access, &network).await
    }

    async fn networks_prune(&self) -> Result<Vec<NetworkInfo>, ApiError> {
        let access = self.manager()?;
        let all: Vec<ClusterNetwork> = access.view.borrow().networks.values().cloned().collect();
        let mut gone = Vec::new();
        // As in Docker, the ingress network is never in the way.
        for network in all.into_iter().filter(|network| !network.ingress) {
            // One that is used stays.
            if let Ok(info) = self.remove_network(&access, &network).await {
                gone.push(info);
            }
        }
        Ok(gone)
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
                aliases: known.aliases.clone(),
                ..AttachRequest::default()
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

/// Subnets that the host's own interfaces are in.
fn host_routes() -> Result<Vec<IpNet>, ApiError> {
    let list = || Socket::open()?.all_addresses();
    let addresses = list().map_err(|error| ApiError::internal(&error))?;
    let nets = addresses
        .iter()
        .filter_map(|own| IpNet::new(own.address, own.prefix_length).ok());
    let nets: BTreeSet<IpNet> = nets.map(|net| net.trunc()).collect();
    Ok(nets.into_iter().collect())
}

fn gone(endpoint: &Attachment) -> ApiError {
    ApiError::conflict(format!(
        "the network namespace of endpoint {} is gone",
        endpoint.name
    ))
    .with_help("attach its new one with `overlay attach`")
}
