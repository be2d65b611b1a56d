//! What the owner tells the rest of the agent. The owner alone writes; readers hold the locks for as
//! long as it takes to copy what they need, never across an await.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use super::{directory::Directory, flows::FlowCounts, names::Names, task_states::TaskStates};
use crate::{
    api::types::{AuditSummary, EncryptionStatus},
    control::{Table, Tables},
    datapath::{Capacity, Features, Pins},
    model::{Desired, Encap, PeerId, Vni, Way},
    settings::Settings,
};

/// What every part of the agent may know.
#[derive(Debug)]
pub(super) struct Shared {
    /// The configuration.
    pub(super) settings: Settings,
    /// What the kernel can do.
    pub(super) features: Features,
    /// Where maps and programs are pinned.
    pub(super) pins: Pins,
    /// When the agent started.
    pub(super) started: Instant,
    /// What containers are called.
    pub(super) names: Arc<Names>,
    /// What was told of the tasks of this node.
    pub(super) task_states: Arc<TaskStates>,
    /// How many flows there are. Written by the task that sweeps them.
    pub(super) flows: FlowCounts,
    desired: RwLock<Arc<Desired>>,
    directory: RwLock<Directory>,
    summary: RwLock<Summary>,
    encryption: RwLock<Option<EncryptionStatus>>,
}

/// The state of the tables, in numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    /// The vxlan device.
    pub(super) tunnel: u32,
    /// Entries of each table.
    pub(super) entries: BTreeMap<Table, usize>,
    /// Largest layer-3 packet inside each network, bytes.
    pub(super) mtus: BTreeMap<Vni, u32>,
    /// That of a network for which none was chosen, and which may not exist here.
    pub(super) inner_mtu: u32,
    /// The same of one that is encrypted.
    pub(super) encrypted_mtu: u32,
    /// The ways to the other nodes, by underlay address.
    pub(super) ways: BTreeMap<IpAddr, Way>,
    /// The numbers of the other nodes in the tables, by underlay address.
    pub(super) numbers: BTreeMap<IpAddr, PeerId>,
    /// How packets to most peers are encapsulated.
    pub(super) encap: Encap,
    /// How long the first programming took.
    pub(super) programmed: Duration,
    /// Why there is no way out although there should be.
    pub(super) gateway_trouble: Option<String>,
    /// What audits found.
    pub(super) audit: AuditSummary,
}

impl Shared {
    /// Nothing known yet but how the agent starts.
    pub(super) fn new(
        settings: Settings,
        desired: Arc<Desired>,
        features: Features,
        pins: Pins,
    ) -> Self {
        Self {
            settings,
            features,
            pins,
            started: Instant::now(),
            names: Arc::default(),
            task_states: Arc::default(),
            flows: FlowCounts::default(),
            desired: RwLock::new(desired),
            directory: RwLock::default(),
            summary: RwLock::default(),
            encryption: RwLock::default(),
        }
    }

    /// What the cluster wants at this moment.
    pub(super) fn desired(&self) -> Arc<Desired> {
        let desired = self.desired.read();
        Arc::clone(&desired.unwrap_or_else(PoisonError::into_inner))
    }

    /// For the owner.
    pub(super) fn set_desired(&self, desired: Arc<Desired>) {
        let mut present = self.desired.write().unwrap_or_else(PoisonError::into_inner);
        *present = desired;
    }

    /// How many entries the maps have room for.
    pub(super) fn capacity(&self) -> Capacity {
        capacity(&self.settings)
    }

    /// Whether services are balanced once for each socket.
    pub(super) fn balances_sockets(&self) -> bool {
        self.settings.services.socket_lb && self.features.sockets.is_some()
    }

    /// The endpoints of this node.
    pub(super) fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of the tables.
    pub(super) fn summary(&self) -> RwLockReadGuard<'_, Summary> {
        self.summary.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is encrypted; none outside a swarm.
    pub(super) fn encryption(&self) -> Option<EncryptionStatus> {
        let encryption = self.encryption.read();
        encryption.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For the task that encrypts.
    pub(super) fn set_encryption(&self, status: EncryptionStatus) {
        let present = self.encryption.write();
        *present.unwrap_or_else(PoisonError::into_inner) = Some(status);
    }

    /// For the owner.
    pub(super) fn directory_mut(&self) -> RwLockWriteGuard<'_, Directory> {
        self.directory
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// For the owner.
    pub(super) fn summary_mut(&self) -> RwLockWriteGuard<'_, Summary> {
        self.summary.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Summary {
    /// Takes over what the tables hold now.
    pub(super) fn follow(&mut self, tables: &Tables, ways: &BTreeMap<IpAddr, Way>, wish: Encap) {
        self.entries = Table::ALL
            .into_iter()
            .map(|table| (table, tables.len(table)))
            .collect();
        // Subnets stand there as well, for what nobody has.
        let blocks = tables.blocks.values();
        let of_nodes = blocks.filter(|route| route.peer != PeerId::NOBODY).count();
        self.entries.insert(Table::Block, of_nodes);
        self.mtus = tables
            .networks
            .iter()
            .map(|(vni, entry)| (*vni, entry.mtu))
            .collect();
        self.ways.clone_from(ways);
        let peers = tables.peers.iter();
        self.numbers = peers.map(|(number, peer)| (peer.remote, *number)).collect();
        let is_native = tables
            .peers
            .values()
            .any(|peer| peer.encap == Encap::Native);
        self.encap = match wish {
            Encap::Native | Encap::Auto if is_native || tables.peers.is_empty() => Encap::Native,
            Encap::Native | Encap::Auto | Encap::Device => Encap::Device,
        };
    }
}

/// The room that a configuration asks for.
pub(super) fn capacity(settings: &Settings) -> Capacity {
    let limits = settings.limits;
    Capacity {
        endpoints: limits.endpoints,
        routes: limits.routes,
        blocks: limits.blocks,
        peers: limits.peers,
        networks: limits.networks,
        vips: limits.vips,
        ports: limits.ports,
        backends: limits.backends,
        slots: limits.slots,
        flows: limits.flows,
        new_flows: limits.new_flows,
    }
}
