//! Verbs of the cluster.

use std::io::Write as _;

use super::refusal;
use crate::{
    api::{
        Client, ErrorKind,
        fake::{FakeAgent, FakeBackend, network_id, node_id, refusals as managers},
        refusals,
        types::{
            Addresses, Breadth, JoinToken, Mode, NetworkConnect, NetworkCreate, NodeRemove,
            NodeState, NodeUpdate, SwarmInit, SwarmJoin, SwarmLeave, SwarmUpdate,
        },
    },
    model::{Availability, Role},
};

fn join(token: &str) -> SwarmJoin {
    SwarmJoin {
        token: JoinToken::new(token.to_owned()),
        remote: "192.0.2.1:2377".to_owned(),
        addresses: Addresses::default(),
        gossip_port: None,
        availability: Availability::Active,
    }
}

fn blue() -> NetworkCreate {
    NetworkCreate {
        attachable: true,
        ..NetworkCreate::new("blue".to_owned())
    }
}

async fn attach(client: &Client, name: &str, network: &str) {
    let mut wish = super::wish(name);
    network.clone_into(&mut wish.network);
    client.attach(&wish).await.unwrap();
}

#[tokio::test]
async fn a_cluster_is_made_and_left() {
    let agent = FakeAgent::start(FakeBackend::alone());
    let client = agent.client();
    assert_eq!(client.status().await.unwrap().mode, Mode::None);

    let made = client.swarm_init(&SwarmInit::default()).await.unwrap();
    let twice = refusal(client.swarm_init(&SwarmInit::default()).await.unwrap_err());
    let status = client.status().await.unwrap();
    let gently = SwarmLeave { force: false };
    let last = refusal(client.swarm_leave(gently).await.unwrap_err());
    client
        .swarm_leave(SwarmLeave { force: true })
        .await
        .unwrap();
    let outside = refusal(client.nodes().await.unwrap_err());

    assert_eq!(made.node_id, node_id('a'));
    assert_eq!(twice, refusals::already_in_swarm());
    assert_eq!(status.mode, Mode::Swarm);
    assert_eq!(status.cluster.unwrap().role, Role::Manager);
    assert_eq!(last, managers::last_manager());
    assert_eq!(outside, refusals::not_in_swarm());
}

#[tokio::test]
async fn the_token_decides_the_role() {
    for (token, role) in [
        ("SWMTKN-1-digest-worker0", Role::Worker),
        ("SWMTKN-1-digest-manager0", Role::Manager),
    ] {
        let agent = FakeAgent::start(FakeBackend::alone());
        let client = agent.client();

        let refused = refusal(client.swarm_join(&join("nonsense")).await.unwrap_err());
        let joined = client.swarm_join(&join(token)).await.unwrap();

        assert_eq!(refused.kind, ErrorKind::Forbidden);
        assert_eq!(joined.role, role);
    }
}

#[tokio::test]
async fn a_worker_is_no_manager_and_a_minority_no_cluster() {
    let worker = FakeAgent::start(FakeBackend::alone());
    let worker = (worker.client(), worker);
    let minority = FakeAgent::start(FakeBackend::without_leader());
    worker.0.swarm_join(&join("x-worker0")).await.unwrap();

    let by_worker = refusal(worker.0.network_create(&blue()).await.unwrap_err());
    let by_few = refusal(minority.client().network_create(&blue()).await.unwrap_err());

    assert_eq!(by_worker, refusals::not_a_manager());
    assert_eq!(by_few, refusals::no_leader());
}

#[tokio::test]
async fn secrets_rotate() {
    let agent = FakeAgent::start(FakeBackend::manager());
    let client = agent.client();

    for role in [Role::Worker, Role::Manager] {
        let old = client.join_way(role).await.unwrap();
        let new = client.rotate_join_token(role).await.unwrap();
        assert_ne!(old.token, new.token);
        assert_eq!(client.join_way(role).await.unwrap(), new);
    }
    let old = client.root_ca().await.unwrap();
    let new = client.rotate_root_ca().await.unwrap();
    assert_ne!(old.pem, new.pem);
    assert_eq!(client.gossip_keys().await.unwrap().accepted, [1]);
    assert_eq!(client.rotate_gossip_keys().await.unwrap().primary, 2);
    let update = SwarmUpdate {
        key_rotation_s: Some(600),
        ..SwarmUpdate::default()
    };
    client.swarm_update(update).await.unwrap();
    assert_eq!(client.gossip_keys().await.unwrap().period_s, 600);
}

#[tokio::test]
async fn nodes_are_changed_and_forgotten() {
    let agent = FakeAgent::start(FakeBackend::manager());
    let client = agent.client();
    let demote = NodeUpdate {
        role: Some(Role::Worker),
        ..NodeUpdate::default()
    };
    let gently = NodeRemove { force: false };

    assert_eq!(client.nodes().await.unwrap().len(), 3);
    assert_eq!(
        client.node("c").await.unwrap().status.state,
        NodeState::Down
    );
    let manager = refusal(client.node_remove("b", gently).await.unwrap_err());
    assert!(client.node_update("b", &demote).await.unwrap().changed);
    assert!(!client.node_update("b", &demote).await.unwrap().changed);
    let last = refusal(client.node_update("self", &demote).await.unwrap_err());
    let answering = refusal(client.node_remove("b", gently).await.unwrap_err());
    let gone = client.node_remove("b", NodeRemove { force: true }).await;
    let missing = refusal(client.node("b").await.unwrap_err());

    assert_eq!(manager, managers::node_is_manager("b"));
    assert_eq!(last, managers::last_manager());
    assert_eq!(answering, managers::node_not_down("b"));
    assert_eq!(gone.unwrap().id, node_id('b'));
    assert_eq!(missing, managers::no_node("b"));
}

#[tokio::test]
async fn networks_come_and_go() {
    let agent = FakeAgent::start(FakeBackend::manager());
    let client = agent.client();

    let made = client.network_create(&blue()).await.unwrap();
    attach(&client, "web", "blue").await;
    let used = refusal(client.network_remove("blue").await.unwrap_err());
    let here = client.network("blue", Breadth::Node).await.unwrap();
    let everywhere = client.network("blue", Breadth::Cluster).await.unwrap();
    let on_node = client.node_endpoints("self").await.unwrap();
    let pruned_used = client.networks_prune().await.unwrap();
    client.detach("web", None).await.unwrap();
    let gone = client.network_remove("blue").await.unwrap();

    assert_eq!(made.id, network_id(0));
    assert_eq!(used, managers::network_in_use("blue", "endpoint web"));
    assert_eq!(here.containers[0].node, None);
    assert_eq!(everywhere.containers[0].node.as_deref(), Some("a"));
    assert_eq!(on_node[0].network, "blue");
    assert_eq!(pruned_used, []);
    assert_eq!(gone.id, Some(made.id));
}

#[tokio::test]
async fn only_attachable_networks_take_containers() {
    let agent = FakeAgent::start(FakeBackend::manager());
    let client = agent.client();
    client.network_create(&blue()).await.unwrap();
    let tasks = NetworkCreate::new("tasks".to_owned());
    client.network_create(&tasks).await.unwrap();
    attach(&client, "web", "blue").await;
    let connect = NetworkConnect {
        endpoint: "web".to_owned(),
        addresses: Vec::new(),
        mac: None,
    };

    let refused = refusal(client.network_connect("tasks", &connect).await.unwrap_err());
    client
        .network_create(&NetworkCreate {
            name: "red".to_owned(),
            ..blue()
        })
        .await
        .unwrap();
    let connected = client.network_connect("red", &connect).await.unwrap();

    assert_eq!(refused, refusals::not_attachable("tasks"));
    assert_eq!(connected.network, "red");
    assert_eq!(client.networks_prune().await.unwrap()[0].name, "tasks");
}

#[tokio::test]
async fn a_network_called_like_a_verb_is_a_network() {
    let agent = FakeAgent::start(FakeBackend::manager());
    let client = agent.client();
    for name in ["prune", "init", "a.b"] {
        let name = name.to_owned();
        let named = NetworkCreate { name, ..blue() };
        client.network_create(&named).await.unwrap();

        let found = client.network(&named.name, Breadth::Node).await.unwrap();

        assert_eq!(found.name, named.name);
    }
}

#[tokio::test]
async fn a_request_of_another_version_is_refused() {
    let agent = FakeAgent::start(FakeBackend::manager());
    for (request, body, part) in [
        (
            "POST /networks",
            r#"{"name":"x","colour":1}"#,
            "to make a network",
        ),
        ("POST /nodes/a", r#"{"role":"king"}"#, "to update a node"),
        ("POST /swarm/leave?force=maybe", "", "Failed to deserialize"),
        ("GET /swarm/join-token/king", "", "`king` is no role"),
    ] {
        let path = crate::api::socket_path(agent.run_dir());
        let length = body.len();
        let head = format!(
            "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
            write!(stream, "{head}{body}").unwrap();
            std::io::read_to_string(stream).unwrap()
        });
        let answer = answer.await.unwrap();

        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains(part), "{answer}");
    }
}
