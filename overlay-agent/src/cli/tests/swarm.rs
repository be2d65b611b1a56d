//! The cluster as a whole.

use super::{ask, json, refused, text};
use crate::api::fake::{FakeAgent, FakeBackend};

#[tokio::test]
async fn init_says_how_others_join() {
    let agent = FakeAgent::start(FakeBackend::alone());
    let client = agent.client();

    assert_eq!(
        text(&client, "swarm init --advertise-addr 192.0.2.1").await,
        "\
Swarm initialized: current node (a3d5k8m2p9q1r4s6t7u0v2w4x) is now a manager.

To add a worker to this swarm, run the following command:

    overlay swarm join --token SWMTKN-1-digest-worker0 192.0.2.1:2377

To add a manager to this swarm, run 'overlay swarm join-token manager' and follow the instructions.
"
    );
    assert_eq!(
        refused(&client, "swarm init").await,
        "This node is already part of a swarm\n  → run `overlay swarm leave` first to make or join \
         another one"
    );
}

#[tokio::test]
async fn init_in_json_and_by_template() {
    let agent = FakeAgent::start(FakeBackend::alone());
    let client = agent.client();

    let made = json(&client, "swarm init").await;
    text(&client, "swarm leave --force").await;
    let id = text(&client, "swarm init --format {{.NodeID}}").await;

    assert_eq!(made["address"], "192.0.2.1:2377");
    assert_eq!(made["worker_token"], "SWMTKN-1-digest-worker0");
    assert_eq!(id, "a3d5k8m2p9q1r4s6t7u0v2w4x\n");
}

#[tokio::test]
async fn a_manager_can_go_on_alone() {
    let agent = FakeAgent::start(FakeBackend::manager());
    let outside = FakeAgent::start(FakeBackend::alone());
    let client = agent.client();

    let told = text(&client, "swarm init --force-new-cluster").await;

    assert!(told.starts_with("Swarm initialized: current node (a3d5"));
    assert_eq!(text(&client, "node ls --format {{.Hostname}}").await, "a\n");
    assert!(
        refused(&outside.client(), "swarm init --force-new-cluster")
            .await
            .starts_with("This node is not part of a swarm")
    );
}

#[tokio::test]
async fn join_says_as_what() {
    for (token, told) in [
        ("x-worker0", "This node joined a swarm as a worker.\n"),
        ("x-manager0", "This node joined a swarm as a manager.\n"),
    ] {
        let agent = FakeAgent::start(FakeBackend::alone());
        let client = agent.client();

        let wrong = refused(&client, "swarm join --token x 192.0.2.1").await;
        let line = format!("swarm join --token {token} 192.0.2.1:2377");

        assert_eq!(wrong, "invalid join token");
        assert_eq!(text(&client, &line).await, told);
        assert!(
            refused(&client, &line)
                .await
                .starts_with("This node is already part")
        );
        assert_eq!(
            text(&client, "swarm leave -f").await,
            "Node left the swarm.\n"
        );
    }
    let agent = FakeAgent::start(FakeBackend::alone());
    let joined = json(&agent.client(), "swarm join --token x-worker0 a").await;
    assert_eq!(joined["role"], "worker");
    let left = json(&agent.client(), "swarm leave").await;
    assert_eq!(left, serde_json::Value::Null);
}

#[tokio::test]
async fn leave_minds_the_managers() {
    let one = FakeAgent::start(FakeBackend::alone());
    let two = FakeAgent::start(FakeBackend::manager());
    text(&one.client(), "swarm init").await;

    assert_eq!(
        refused(&one.client(), "swarm leave").await,
        "this node is the last manager\n  → use --force"
    );
    assert_eq!(
        refused(&two.client(), "swarm leave").await,
        "without this node the managers lose their majority\n  → demote it first, or use --force"
    );
    assert_eq!(
        text(&two.client(), "swarm leave --force").await,
        "Node left the swarm.\n"
    );
    assert!(
        refused(&two.client(), "swarm leave")
            .await
            .starts_with("This node is not part of a swarm\n  → run `overlay swarm init`")
    );
}

#[tokio::test]
async fn join_tokens_are_shown_and_rotated() {
    let agent = FakeAgent::start(FakeBackend::manager());
    let client = agent.client();

    assert_eq!(
        text(&client, "swarm join-token worker").await,
        "\
To add a worker to this swarm, run the following command:

    overlay swarm join --token SWMTKN-1-digest-worker0 192.0.2.1:2377
"
    );
    assert_eq!(
        text(&client, "swarm join-token manager --rotate").await,
        "\
Successfully rotated manager join token.

To add a manager to this swarm, run the following command:

    overlay swarm join --token SWMTKN-1-digest-manager1 192.0.2.1:2377
"
    );
    assert_eq!(
        text(&client, "swarm join-token -q manager").await,
        "SWMTKN-1-digest-manager1\n"
    );
    assert_eq!(
        json(&client, "swarm join-token worker").await["token"],
        "SWMTKN-1-digest-worker0"
    );
}

#[tokio::test]
async fn the_root_certificate_is_printed_alone() {
    let agent = FakeAgent::start(FakeBackend::manager());
    let client = agent.client();

    let before = ask(&client, "swarm ca").await.unwrap();
    let after = ask(&client, "swarm ca --rotate").await.unwrap();

    assert_eq!(
        before.text,
        "-----BEGIN CERTIFICATE-----\nroot1\n-----END CERTIFICATE-----\n"
    );
    assert!(before.warnings.is_empty());
    assert!(after.text.contains("root2"));
    assert_eq!(
        after.warnings,
        [
            "the root certificate is being replaced; nodes still to get a new one: 2",
            "node c does not answer and holds this up until it returns; if it never will, `overlay \
             node rm c` ends the wait"
        ]
    );
    assert_eq!(json(&client, "swarm ca").await["outdated_nodes"], 2);
}

#[tokio::test]
async fn keys_show_generations_alone() {
    let agent = FakeAgent::start(FakeBackend::manager());
    let client = agent.client();

    text(&client, "swarm keys --rotate").await;

    assert_eq!(
        text(
            &client,
            "swarm update --key-rotation 90m --cert-expiry 2160h"
        )
        .await,
        "Swarm updated.\n"
    );
    assert_eq!(
        text(&client, "swarm keys").await,
        "\
GENERATION  USE
1           receives
2           sends and receives

rotated 2025-11-22T15:00:00Z, every 1h 30m 0s
"
    );
    assert_eq!(
        text(&client, "swarm keys --format {{.Accepted}}").await,
        "[1 2]\n"
    );
    assert_eq!(json(&client, "swarm keys").await["primary"], 2);
}

#[tokio::test]
async fn outside_a_swarm_and_as_a_worker_verbs_are_refused() {
    let outside = FakeAgent::start(FakeBackend::alone());
    let worker = FakeAgent::start(FakeBackend::alone());
    let minority = FakeAgent::start(FakeBackend::without_leader());
    text(&worker.client(), "swarm join --token x-worker0 a").await;

    for line in [
        "swarm join-token worker",
        "swarm ca",
        "swarm ca --rotate",
        "swarm keys",
        "swarm keys --rotate",
        "swarm update --key-rotation 1h",
        "node ls",
        "node update --availability drain a",
        "network create red",
        "network prune --force",
    ] {
        let by_outsider = refused(&outside.client(), line).await;
        let by_worker = refused(&worker.client(), line).await;
        let by_few = refused(&minority.client(), line).await;

        assert!(
            by_outsider.starts_with("This node is not part of a swarm"),
            "{line}"
        );
        assert!(
            by_worker.starts_with("This node is not a swarm manager."),
            "{line}"
        );
        assert!(
            by_few.starts_with("The swarm does not have a leader."),
            "{line}"
        );
    }
    let of_file = FakeAgent::start(FakeBackend::default());
    assert!(
        refused(&of_file.client(), "swarm init")
            .await
            .contains("from its configuration file")
    );
}
