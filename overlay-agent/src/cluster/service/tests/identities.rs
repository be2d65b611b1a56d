//! Who gets in with which certificate.

use std::{sync::Arc, time::Duration};

use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    cluster::{
        pki::{
            Credentials, LIFETIME, TrustBundle,
            testing::{DAY, NOW, World, clock, tls},
            tls::first_contact,
        },
        service::{
            Counter, Limits,
            fake::{Cluster, FakeRequest},
            testing::{Door, node},
        },
    },
    model::Role,
};

const LEASE: &str = r#"{"id":"0000000000000000000000001","request":{"lease":"blue"}}"#;
const NETWORK: &str = r#"{"id":"0000000000000000000000002","request":{"create_network":"red"}}"#;

fn client(credentials: Credentials) -> Arc<ClientConfig> {
    Arc::clone(tls(credentials).client())
}

fn anonymous(cluster: &Cluster) -> Arc<ClientConfig> {
    let digest = cluster.state().world.authority.digest();
    first_contact(digest, clock()).unwrap()
}

#[tokio::test]
async fn a_worker_asks_for_itself_and_only_managers_for_more() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let worker = node(&cluster, Role::Worker);
    let id = worker.identity().node;
    let worker = client(worker);
    let manager = client(node(&cluster, Role::Manager));

    let (status, reply) = door.ask(&worker, "POST /v1/request", LEASE).await;
    assert_eq!(
        (status, reply.as_str()),
        (200, r#""worker did Lease(\"blue\")""#)
    );
    let (status, refusal) = door.ask(&worker, "POST /v1/request", NETWORK).await;
    assert_eq!(status, 403);
    assert!(
        refusal.contains("This node is not a swarm manager. Worker nodes can't be used to view or"),
        "{refusal}"
    );
    let (status, _refusal) = door.ask(&worker, "POST /v1/raft/append", "x").await;
    assert_eq!(status, 403);
    assert_eq!(door.counters.get(Counter::RoleRefused), 2);

    let (status, _reply) = door.ask(&manager, "POST /v1/request", NETWORK).await;
    assert_eq!(status, 200);
    for call in ["append", "vote", "snapshot"] {
        let path = format!("POST /v1/raft/{call}");
        let (status, answer) = door.ask(&manager, &path, "entries").await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer.to_lowercase().starts_with(call), "{answer}");
        assert!(answer.ends_with("entries"), "{answer}");
    }
    let done = cluster.state().done.clone();
    assert_eq!(done[0], (id, FakeRequest::Lease("blue".to_owned())));
    assert_eq!(done.len(), 2);
}

#[tokio::test]
async fn without_a_certificate_one_can_only_join() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let stranger = anonymous(&cluster);

    let calls = [
        "POST /v1/renew",
        "GET /v1/watch",
        "POST /v1/request",
        "POST /v1/raft/append",
        "POST /v1/raft/vote",
        "POST /v1/raft/snapshot",
    ];
    for call in calls {
        let (status, refusal) = door.ask(&stranger, call, LEASE).await;
        assert_eq!(status, 401, "{call}");
        assert!(refusal.contains("needs a certificate"), "{refusal}");
    }

    assert_eq!(
        door.counters.get(Counter::IdentityRefused),
        calls.len() as u64
    );
    assert!(cluster.state().done.is_empty());
    let (status, _body) = door.ask(&stranger, "GET /v1/join", "").await;
    assert_eq!(status, 400);
    let (status, _body) = door.ask(&stranger, "GET /", "").await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_certificate_of_another_authority_does_not_get_through_the_handshake() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let mut forged = World::new();
    let both = forged.bundle.to_pem() + &cluster.state().world.bundle.to_pem();
    let both = TrustBundle::from_pem(&both).unwrap();
    let forged = forged.node(Role::Manager).with_bundle(both).unwrap();

    // Our own side of the handshake is done before the manager has seen the certificate.
    let mut stream = door.connect(&client(forged)).await;
    let _sent = stream.write_all(b"POST /v1/request HTTP/1.1\r\n").await;
    let read = stream.read_u8().await;

    assert!(read.is_err());
    door.counted(Counter::HandshakeFailed, 1).await;
    assert!(cluster.state().done.is_empty());
}

#[tokio::test]
async fn a_certificate_that_does_not_count_now_is_refused_with_both_clocks() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let world = |since| {
        cluster
            .state()
            .world
            .node_since(Role::Manager, since, LIFETIME)
    };
    let expired = client(world(NOW - 100 * DAY));
    let early = client(world(NOW + 3 * DAY));

    for call in [
        "POST /v1/request",
        "POST /v1/renew",
        "GET /v1/watch",
        "POST /v1/raft/vote",
    ] {
        let (status, refusal) = door.ask(&expired, call, LEASE).await;
        assert_eq!(status, 401);
        assert!(refusal.contains("was valid until Nov 12"), "{refusal}");
        assert!(refusal.contains("here it is Nov 22"), "{refusal}");
    }
    let (status, refusal) = door.ask(&early, "POST /v1/request", LEASE).await;
    assert_eq!(status, 401);
    assert!(refusal.contains("valid from Nov 2"), "{refusal}");

    assert_eq!(door.counters.get(Counter::IdentityRefused), 5);
    assert!(cluster.state().done.is_empty());
}

#[tokio::test]
async fn a_removed_node_is_out_at_once_and_a_demoted_one_commands_no_more() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let (removed, demoted) = (node(&cluster, Role::Worker), node(&cluster, Role::Manager));
    {
        let mut state = cluster.state();
        state.removed.insert(removed.identity().node);
        state.roles.insert(demoted.identity().node, Role::Worker);
    }

    let (status, refusal) = door.ask(&client(removed), "POST /v1/request", LEASE).await;
    assert_eq!(status, 403);
    assert!(refusal.contains("removed from the swarm"), "{refusal}");
    assert_eq!(door.counters.get(Counter::RemovedNode), 1);
    let demoted = client(demoted);
    let (status, _refusal) = door.ask(&demoted, "POST /v1/raft/append", "x").await;
    assert_eq!(status, 403);
    let (status, _refusal) = door.ask(&demoted, "POST /v1/request", NETWORK).await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn requests_run_to_their_end_when_the_service_stops() {
    let cluster = Cluster::new();
    let mut door = Door::open(&cluster, Limits::default()).await;
    let worker = client(node(&cluster, Role::Worker));
    let mut watching = door.connect(&worker).await;
    let request = b"GET /v1/watch HTTP/1.1\r\nHost: m\r\n\r\n";
    watching.write_all(request).await.unwrap();
    watching.read_u8().await.unwrap();

    door.cancel.cancel();

    let ended = tokio::time::timeout(Duration::from_secs(2), door.serving.join_next()).await;
    ended.unwrap().unwrap().unwrap();
    let mut rest = Vec::new();
    watching.read_to_end(&mut rest).await.unwrap();
    assert!(String::from_utf8(rest).unwrap().ends_with("\r\n0\r\n\r\n"));
}
