//! Verbs of the cluster, as the fake agent does them.

use std::sync::{MutexGuard, PoisonError};

use super::{
    FakeBackend,
    cluster::{Cluster, Membership, is_manager, node_id},
    refusals as managers,
};
use crate::{
    api::{
        ApiError, Backend as _, ClusterBackend, refusals,
        types::{
            AttachRequest, EndpointInfo, GossipKeys, JoinWay, ManagerStatus, NetworkConnect,
            NetworkCreate, NetworkCreated, NetworkInfo, NodeEndpoint, NodeInfo, NodeRemove,
            NodeState, NodeUpdate, NodeUpdated, Reachability, RootCa, SwarmInit, SwarmInitialized,
            SwarmJoin, SwarmJoined, SwarmLeave, SwarmUpdate,
        },
    },
    model::Role,
};

impl FakeBackend {
    pub(super) fn membership(&self) -> MutexGuard<'_, Membership> {
        self.membership
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something as a manager.
    pub(super) fn managing<T>(
        &self,
        act: impl FnOnce(&mut Cluster) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        match &mut *self.membership() {
            Membership::Static | Membership::Alone => Err(refusals::not_in_swarm()),
            Membership::Worker(_) => Err(refusals::not_a_manager()),
            Membership::Manager(_) if self.is_ill => Err(refusals::no_leader()),
            Membership::Manager(cluster) => act(cluster),
        }
    }

    fn check_outside(&self) -> Result<(), ApiError> {
        match &*self.membership() {
            Membership::Static => Err(refusals::is_static()),
            Membership::Alone => Ok(()),
            Membership::Worker(_) | Membership::Manager(_) => Err(refusals::already_in_swarm()),
        }
    }

    /// An endpoint in this network.
    fn user(&self, network: &str) -> Option<String> {
        let endpoints = self.lock();
        let mut names = endpoints.iter();
        let user = names.find(|endpoint| endpoint.network == network)?;
        Some(format!("endpoint {}", user.name))
    }
}

impl ClusterBackend for FakeBackend {
    async fn swarm_init(&self, request: SwarmInit) -> Result<SwarmInitialized, ApiError> {
        if request.force_new_cluster {
            self.managing(|_lost| Ok(()))?;
        } else {
            self.check_outside()?;
        }
        let cluster = Cluster::new();
        let way = cluster.way(Role::Worker);
        *self.membership() = Membership::Manager(Box::new(cluster));
        Ok(SwarmInitialized {
            node_id: node_id('a'),
            worker_token: way.token,
            address: way.address,
        })
    }

    async fn swarm_join(&self, request: SwarmJoin) -> Result<SwarmJoined, ApiError> {
        self.check_outside()?;
        let node_id = node_id('b');
        let role = if request.token.reveal().contains("-worker") {
            *self.membership() = Membership::Worker(node_id);
            Role::Worker
        } else if request.token.reveal().contains("-manager") {
            *self.membership() = Membership::Manager(Box::new(Cluster::of_three()));
            Role::Manager
        } else {
            return Err(ApiError::forbidden("invalid join token"));
        };
        Ok(SwarmJoined { node_id, role })
    }

    async fn swarm_leave(&self, request: SwarmLeave) -> Result<(), ApiError> {
        let mut membership = self.membership();
        match &*membership {
            Membership::Static | Membership::Alone => return Err(refusals::not_in_swarm()),
            Membership::Manager(cluster) if !request.force => {
                return Err(match cluster.managers() {
                    1 => managers::last_manager(),
                    _ => managers::loses_quorum(),
                });
            }
            Membership::Worker(_) | Membership::Manager(_) => {}
        }
        *membership = Membership::Alone;
        self.lock().clear();
        Ok(())
    }

    async fn join_way(&self, role: Role) -> Result<JoinWay, ApiError> {
        self.managing(|cluster| Ok(cluster.way(role)))
    }

    async fn rotate_join_token(&self, role: Role) -> Result<JoinWay, ApiError> {
        self.managing(|cluster| {
            cluster.rotate_token(role);
            Ok(cluster.way(role))
        })
    }

    async fn root_ca(&self) -> Result<RootCa, ApiError> {
        self.managing(|cluster| Ok(cluster.root()))
    }

    async fn rotate_root_ca(&self) -> Result<RootCa, ApiError> {
        self.managing(|cluster| {
            cluster.roots += 1;
            Ok(cluster.root())
        })
    }

    async fn gossip_keys(&self) -> Result<GossipKeys, ApiError> {
        self.managing(|cluster| Ok(cluster.keys.clone()))
    }

    async fn rotate_gossip_keys(&self) -> Result<GossipKeys, ApiError> {
        self.managing(|cluster| {
            cluster.rotate_keys();
            Ok(cluster.keys.clone())
        })
    }

    async fn swarm_update(&self, request: SwarmUpdate) -> Result<(), ApiError> {
        self.managing(|cluster| {
            if let Some(period_s) = request.key_rotation_s {
                cluster.keys.period_s = period_s;
            }
            Ok(())
        })
    }

    async fn nodes(&self) -> Result<Vec<NodeInfo>, ApiError> {
        self.managing(|cluster| Ok(cluster.nodes.clone()))
    }

    async fn node(&self, name: String) -> Result<NodeInfo, ApiError> {
        self.managing(|cluster| Ok(cluster.nodes[cluster.position(&name)?].clone()))
    }

    async fn node_endpoints(&self, name: String) -> Result<Vec<NodeEndpoint>, ApiError> {
        let node = self.node(name).await?;
        if !node.is_self {
            return Ok(Vec::new());
        }
        let endpoints = self.lock();
        let told = endpoints.iter().map(|endpoint| NodeEndpoint {
            id: endpoint.id.clone(),
            name: endpoint.name.clone(),
            network: endpoint.network.clone(),
            addresses: endpoint.addresses().collect(),
            mac: endpoint.mac,
            node: node.description.hostname.clone(),
        });
        Ok(told.collect())
    }

    async fn node_update(
        &self,
        name: String,
        request: NodeUpdate,
    ) -> Result<NodeUpdated, ApiError> {
        self.managing(|cluster| {
            let at = cluster.position(&name)?;
            let is_last = cluster.managers() == 1 && is_manager(&cluster.nodes[at]);
            if is_last && request.role == Some(Role::Worker) {
                return Err(managers::last_manager());
            }
            let node = &mut cluster.nodes[at];
            let before = node.clone();
            let spec = &mut node.spec;
            spec.availability = request.availability.unwrap_or(spec.availability);
            spec.role = request.role.unwrap_or(spec.role);
            spec.labels
                .retain(|label, _| !request.remove_labels.contains(label));
            spec.labels.extend(request.add_labels);
            if spec.role != before.spec.role {
                node.manager_status = is_manager(node).then_some(ManagerStatus {
                    leader: false,
                    reachability: Reachability::Unreachable,
                    addr: (node.status.addr, 2377).into(),
                });
            }
            Ok(NodeUpdated {
                node: node.clone(),
                changed: *node != before,
            })
        })
    }

    async fn node_remove(&self, name: String, request: NodeRemove) -> Result<NodeInfo, ApiError> {
        self.managing(|cluster| {
            let at = cluster.position(&name)?;
            let node = &cluster.nodes[at];
            if is_manager(node) {
                return Err(managers::node_is_manager(&name));
            }
            if node.status.state == NodeState::Ready && !request.force {
                return Err(managers::node_not_down(&name));
            }
            Ok(cluster.nodes.remove(at))
        })
    }

    async fn network_create(&self, request: NetworkCreate) -> Result<NetworkCreated, ApiError> {
        let warnings = if request.labels.contains_key("odd") {
            vec!["this is odd".to_owned()]
        } else {
            Vec::new()
        };
        let id = self.managing(|cluster| cluster.create(request))?;
        Ok(NetworkCreated { id, warnings })
    }

    async fn network_remove(&self, name: String) -> Result<NetworkInfo, ApiError> {
        self.managing(|cluster| {
            let mut networks = cluster.networks.iter();
            let found = networks.position(|network| network.name == name);
            let at = found.ok_or_else(|| refusals::no_network(&name))?;
            match self.user(&name) {
                None => Ok(cluster.networks.remove(at)),
                Some(user) => Err(managers::network_in_use(&name, &user)),
            }
        })
    }

    async fn networks_prune(&self) -> Result<Vec<NetworkInfo>, ApiError> {
        self.managing(|cluster| {
            let networks = cluster.networks.drain(..);
            let (gone, kept) = networks.partition(|network| self.user(&network.name).is_none());
            cluster.networks = kept;
            Ok(gone)
        })
    }

    async fn network_connect(
        &self,
        network: String,
        request: NetworkConnect,
    ) -> Result<EndpointInfo, ApiError> {
        let known = self
            .lock()
            .iter()
            .find(|e| e.name == request.endpoint)
            .cloned();
        let known = known.ok_or_else(|| managers::no_endpoint(&request.endpoint))?;
        self.attach(AttachRequest {
            netns: known.netns,
            network,
            name: known.name,
            addresses: request.addresses,
            mac: request.mac,
            ..AttachRequest::default()
        })
        .await
    }
}
