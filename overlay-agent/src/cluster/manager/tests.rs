//! A cluster from its first log entry on, over a log in a temporary directory.

use std::{collections::BTreeSet, net::SocketAddr};

use futures_util::StreamExt as _;
use tokio::sync::watch;

use super::*;
use crate::{
    cluster::{
        consensus::{
            Call, Compaction, Options, ReplicatedLog as _, Start, StateMachine as _, Timing,
            Transport, TransportError,
        },
        pki::SecretKey,
        service::{Caller, Host, Joined, Joining, Managers as _, Standing},
        state::{Change, Family, Reply, ViewUpdate},
    },
    model::{Availability, ClusterView, RequestId, Role},
};

const NOW: u64 = 1_800_000_000;

/// Managers that are alone speak to nobody.
struct Silence;

impl Transport for Silence {
    async fn send(
        &self,
        to: NodeId,
        address: SocketAddr,
        _call: Call,
        _request: Vec<u8>,
    ) -> Result<Vec<u8>, TransportError> {
        Err(TransportError {
            to,
            address,
            source: "nobody is there".into(),
        })
    }
}

fn host(number: u8) -> Host {
    let at = |port| SocketAddr::from(([192, 0, 2, number], port));
    Host {
        hostname: format!("n{number}"),
        data_path: at(0).ip(),
        gossip: at(7946),
        control: at(2377),
        availability: Availability::Active,
    }
}

async fn founded(directory: &tempfile::TempDir) -> (Manager, Beginning) {
    let wish = NewCluster {
        host: host(1),
        pools: Vec::new(),
        data_path_port: 4789,
    };
    let beginning = begin(wish, NOW).unwrap();
    let options = Options {
        data_dir: directory.path().to_owned(),
        id: beginning.credentials.identity().node,
        address: host(1).control,
        timing: Timing::default(),
        compaction: Compaction::default(),
    };
    let start = Start::Init { epoch: 1 };
    let consensus = Consensus::start(start, options, Silence).await.unwrap();
    let (_, down) = watch::channel(BTreeSet::new());
    let manager = Manager::new(consensus, Clock::new(|| NOW), down);
    manager.found(&beginning).await.unwrap();
    (manager, beginning)
}

fn joining(number: u8, role: Role) -> (Joining, SecretKey) {
    let key = SecretKey::generate().unwrap();
    let joining = Joining {
        id: RequestId::from_random(number.into()),
        role,
        csr: key.request().unwrap(),
        host: host(number),
        from: SocketAddr::from(([192, 0, 2, number], 1)),
    };
    (joining, key)
}

async fn view(manager: &Manager, after: Option<u64>) -> ClusterView {
    let node = NodeId::from_random(0);
    let mut changes = manager.watch(node, after).await.unwrap();
    let mut view = ClusterView::default();
    let first: ViewUpdate = changes.next().await.unwrap().change;
    first.apply_to(&mut view).unwrap();
    view
}

#[tokio::test]
async fn a_host_with_a_token_becomes_a_node_that_can_prove_itself() {
    let directory = tempfile::tempdir().unwrap();
    let (manager, beginning) = founded(&directory).await;
    let tokens = manager.tokens().await.unwrap();
    assert_eq!(tokens.role_of(&tokens.worker), Ok(Role::Worker));
    assert_eq!(tokens.role_of(&tokens.manager), Ok(Role::Manager));

    let (joining, key) = joining(2, Role::Worker);
    let joined: Joined = manager.join(joining.clone()).await.unwrap();
    let again = manager.join(joining).await.unwrap();

    assert_eq!(again.node, joined.node, "one attempt makes one node");
    let credentials =
        crate::cluster::pki::Credentials::new(key, &joined.certificate, joined.bundle).unwrap();
    let identity = credentials.identity();
    assert_eq!((identity.node, identity.role), (joined.node, Role::Worker));
    assert_eq!(identity.cluster, beginning.credentials.identity().cluster);
    assert_eq!(joined.managers, [host(1).control]);
    let view = view(&manager, None).await;
    assert_eq!(view.members.len(), 2);
    assert_eq!(
        manager.standing(joined.node),
        Standing::Member(Role::Worker)
    );
    manager.consensus().shutdown().await;
}

#[tokio::test]
async fn a_rotated_token_is_worth_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (manager, _) = founded(&directory).await;
    let old = manager.tokens().await.unwrap().worker;

    let (change, new) = rotated_token(Role::Worker, &old);
    manager.propose(7, change).await.unwrap();

    let tokens = manager.tokens().await.unwrap();
    assert!(tokens.role_of(&old).is_err());
    assert_eq!(tokens.role_of(&new), Ok(Role::Worker));
    assert_eq!(tokens.role_of(&tokens.manager), Ok(Role::Manager));
    manager.consensus().shutdown().await;
}

#[tokio::test]
async fn a_rotation_of_the_authority_waits_for_every_nodes_word() {
    let directory = tempfile::tempdir().unwrap();
    let (manager, beginning) = founded(&directory).await;
    let old = manager.tokens().await.unwrap().worker;
    let (joining, key) = joining(2, Role::Worker);
    let worker = manager.join(joining).await.unwrap().node;
    let first = beginning.credentials.identity().node;
    let due = |manager: &Manager| {
        let look = |state: &State| state.chores(NOW, &tend::SCHEDULE);
        manager.consensus().with_state(look)
    };

    let (change, name) = manager.next_authority().unwrap().unwrap();
    manager.propose(7, change).await.unwrap();
    let tokens = manager.tokens().await.unwrap();
    assert!(tokens.role_of(&old).is_err(), "it names the old root");
    assert_eq!(tokens.worker.digest().to_string(), name);
    let renewed = manager.renew(worker, key.request().unwrap()).await.unwrap();
    let signer = renewed.bundle.signer_of(&renewed.certificate).unwrap();
    assert_eq!(signer.to_string(), name);
    assert_eq!(renewed.bundle.roots().len(), 2);

    for (bits, node) in [(200, worker), (201, first)] {
        assert_eq!(due(&manager), [], "{node} has not said that it has one");
        let report = Ask::ReportCertificate {
            authority: name.clone(),
        };
        let role = Role::Worker;
        let id = RequestId::from_random(bits);
        manager
            .request(Caller { node, role }, id, report)
            .await
            .unwrap();
    }
    assert_eq!(
        due(&manager),
        [crate::cluster::state::Chore::FinishAuthorityRotation]
    );
    manager.consensus().shutdown().await;
}

#[tokio::test]
async fn certificates_are_good_for_as_long_as_was_chosen() {
    let directory = tempfile::tempdir().unwrap();
    let (manager, beginning) = founded(&directory).await;
    let times = crate::cluster::state::Times {
        certificates: Some(7_200),
        keys: Some(600),
    };
    manager.propose(7, Change::SetTimes(times)).await.unwrap();

    let first = beginning.credentials.identity().node;
    let request = beginning.credentials.key().request().unwrap();
    let renewed = manager.renew(first, request).await.unwrap();
    let identity = crate::cluster::pki::identity_in_pem(&renewed.certificate).unwrap();
    assert_eq!(identity.validity.not_after, NOW + 7_200);
    assert_eq!(manager.key_rotation(), 600);
    manager.consensus().shutdown().await;
}

#[tokio::test]
async fn a_node_leases_for_itself_and_a_removed_one_is_turned_away() {
    let directory = tempfile::tempdir().unwrap();
    let (manager, beginning) = founded(&directory).await;
    let (joining, _key) = joining(2, Role::Worker);
    let worker = manager.join(joining).await.unwrap().node;
    let first = beginning.credentials.identity().node;
    let create = crate::cluster::state::CreateNetwork {
        id: crate::model::NetworkId::from_random(5),
        name: "blue".to_owned(),
        subnets: Vec::new(),
        ranges: Vec::new(),
        gateways: Vec::new(),
        kept: Vec::new(),
        families: BTreeSet::from([Family::Ipv4]),
        internal: false,
        attachable: true,
        ingress: false,
        labels: std::collections::BTreeMap::new(),
        options: std::collections::BTreeMap::new(),
        host_routes: Vec::new(),
    };
    let ask = Ask::Change(Box::new(Change::CreateNetwork(Box::new(create))));
    let by = |node, role| Caller { node, role };
    let id = |bits| RequestId::from_random(bits);
    let by_manager = by(first, Role::Manager);
    manager.request(by_manager, id(100), ask).await.unwrap();

    let lease = Ask::LeaseBlocks {
        network: crate::model::NetworkId::from_random(5),
        families: BTreeSet::from([Family::Ipv4]),
    };
    let by_worker = by(worker, Role::Worker);
    let granted = manager.request(by_worker, id(101), lease).await.unwrap();
    let Reply::Leases(leases) = granted.reply else {
        panic!("{:?}", granted.reply);
    };
    assert_eq!(leases[0].node, worker);
    assert_eq!(leases[0].index, granted.index);

    let remove = Change::RemoveNode {
        node: worker,
        force: true,
        is_down: false,
        secret: crate::cluster::state::Secret::new([7; 32]),
    };
    let ask = Ask::Change(Box::new(remove));
    manager.request(by_manager, id(102), ask).await.unwrap();
    assert_eq!(manager.standing(worker), Standing::Removed);
    manager.consensus().shutdown().await;
}

#[tokio::test]
async fn a_snapshot_is_the_whole_state() {
    let directory = tempfile::tempdir().unwrap();
    let (manager, _) = founded(&directory).await;
    let (joining, _key) = joining(2, Role::Manager);
    manager.join(joining).await.unwrap();

    let (state, bytes) = manager
        .consensus()
        .with_state(|state| (state.clone(), state.snapshot().unwrap()));

    assert_eq!(State::restore(&bytes).unwrap(), state);
    assert!(State::restore(&bytes[1..]).is_err());
    manager.consensus().shutdown().await;
}

#[test]
fn only_a_nodes_own_wishes_are_free_to_all() {
    let leave = Ask::Leave { force: true };
    let change = Ask::Change(Box::new(Change::RetireKeys { oldest: 1 }));

    assert_eq!(
        Manager::privilege(&leave),
        crate::cluster::service::Privilege::Node
    );
    assert_eq!(
        Manager::privilege(&change),
        crate::cluster::service::Privilege::Manager
    );
    let node = NodeId::from_random(9);
    assert!(matches!(
        leave.into_change(node, BTreeSet::new()),
        Change::Leave { node: leaving, force: true, .. } if leaving == node
    ));
}
