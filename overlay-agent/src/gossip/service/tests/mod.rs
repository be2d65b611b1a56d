//! Whole nodes that gossip over the loopback device.

mod agreement;
mod failures;
mod fuzz;
mod intruders;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    gossip::{Limits, Pace},
    model::{Claim, KeyRing, NodeId, RingKey, Vni},
};

/// Longer than anything here takes, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

fn node(number: u128) -> NodeId {
    NodeId::from_random(number)
}

fn vni() -> Vni {
    Vni::try_from(4096).unwrap()
}

fn address(last: u32) -> IpAddr {
    IpAddr::from((0x0a00_0000 + last).to_be_bytes())
}

fn claim(last: u32, index: u64) -> Claim {
    Claim {
        aliases: Vec::new(),
        task: None,
        vni: vni(),
        address: address(last),
        name: format!("c{last}"),
        endpoint: format!("e{last}"),
        mac: None,
        index,
    }
}

fn ring(primary: u32, numbers: &[u32]) -> KeyRing {
    KeyRing {
        primary,
        keys: numbers
            .iter()
            .map(|number| RingKey {
                number: *number,
                secret: [*number as u8; 32],
            })
            .collect(),
    }
}

fn known() -> Known {
    Known {
        keys: ring(1, &[1]),
        ..Known::default()
    }
}

/// A node that gossips until it is dropped.
struct Running {
    id: NodeId,
    handle: GossipHandle,
    updates: mpsc::Receiver<Update>,
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

async fn run(number: u128, known: Known) -> Running {
    run_as(settings(number), known).await
}

async fn run_at(number: u128, listen: SocketAddr, epoch: u64, known: Known) -> Running {
    let settings = GossipSettings {
        listen,
        advertise: listen,
        epoch,
        ..settings(number)
    };
    run_as(settings, known).await
}

fn settings(number: u128) -> GossipSettings {
    let listen = "127.0.0.1:0".parse().unwrap();
    GossipSettings {
        cluster: "c".to_owned(),
        node: node(number),
        listen,
        advertise: listen,
        epoch: next_epoch(None),
        pace: Pace::default(),
        limits: Limits::default(),
    }
}

async fn run_as(settings: GossipSettings, known: Known) -> Running {
    let id = settings.node;
    let (service, handle, updates) = GossipService::bind(settings, known).await.unwrap();
    let cancel = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(service.run(cancel.clone()));
    Running {
        id,
        handle,
        updates,
        cancel,
        tasks,
    }
}

/// So many nodes that know of each other.
async fn cluster(size: u128) -> Vec<Running> {
    let mut nodes = Vec::new();
    for number in 1..=size {
        nodes.push(run(number, known()).await);
    }
    acquaint(&nodes).await;
    nodes
}

fn members(nodes: &[Running]) -> BTreeMap<NodeId, SocketAddr> {
    nodes
        .iter()
        .map(|node| (node.id, node.handle.address()))
        .collect()
}

/// What a node knows when it starts again where it was.
fn remembered(nodes: &[Running], number: u128, at: SocketAddr, claims: Vec<Claim>) -> Known {
    let mut members = members(nodes);
    members.insert(node(number), at);
    Known {
        members,
        claims,
        ..known()
    }
}

async fn acquaint(nodes: &[Running]) {
    for one in nodes {
        one.handle.set_members(members(nodes)).await.unwrap();
    }
}

impl Running {
    /// Who has this address, as this node sees it.
    async fn owner(&self, last: u32) -> Option<NodeId> {
        let observed = self.handle.observed().await.unwrap();
        observed
            .claims
            .get(&(vni(), address(last)))
            .map(|(owner, _)| *owner)
    }

    async fn sees(&self, last: u32, owner: Option<NodeId>) {
        let looking = async {
            while self.owner(last).await != owner {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(
            timeout(PATIENCE, looking).await.is_ok(),
            "{}: {:?} has {last}, not {owner:?}; {:?}",
            self.id,
            self.owner(last).await,
            self.handle.counters(),
        );
    }

    async fn sees_state(&self, other: NodeId, state: NodeState) {
        let mut states = self.handle.states();
        let reached = states.wait_for(|states| states.get(&other) == Some(&state));
        let reached = timeout(PATIENCE, reached).await.is_ok();
        assert!(
            reached,
            "{}: {other} is not {state:?}; {:?}",
            self.id,
            self.handle.counters()
        );
    }

    /// Ends without a word, as a crash does.
    async fn crash(mut self) {
        self.cancel.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn all_up(nodes: &[Running]) {
    for one in nodes {
        for other in nodes {
            if one.id != other.id {
                one.sees_state(other.id, NodeState::Up).await;
            }
        }
    }
}

async fn eventually(mut holds: impl FnMut() -> bool, otherwise: impl Fn() -> String) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "{}", otherwise());
}
