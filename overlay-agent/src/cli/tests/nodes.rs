//! Nodes of the cluster.

use serde_json::Value;

use super::{ask, json, text};
use crate::api::{
    Client,
    fake::{FakeAgent, FakeBackend},
};

fn managers() -> (FakeAgent, Client) {
    let agent = FakeAgent::start(FakeBackend::manager());
    let client = agent.client();
    (agent, client)
}

#[tokio::test]
async fn node_ls_looks_like_docker_s() {
    let (_agent, client) = managers();

    assert_eq!(
        text(&client, "node ls").await,
        "\
ID                           HOSTNAME  STATUS  AVAILABILITY  MANAGER STATUS  ENGINE VERSION
a3d5k8m2p9q1r4s6t7u0v2w4x *  a         Ready   Active        Leader          0.1.0
b3d5k8m2p9q1r4s6t7u0v2w4x    b         Ready   Active        Reachable       0.1.0
c3d5k8m2p9q1r4s6t7u0v2w4x    c         Down    Active                        0.1.0
"
    );
    assert_eq!(
        text(&client, "node list -q --filter role=worker").await,
        "c3d5k8m2p9q1r4s6t7u0v2w4x\n"
    );
    assert_eq!(
        text(
            &client,
            r"node ls --format {{.Hostname}}\t{{.Status}}\t{{.Availability}}\t{{.ManagerStatus}}\t{{.Self}}"
        )
        .await,
        "a\tReady\tActive\tLeader\ttrue\nb\tReady\tActive\tReachable\tfalse\nc\tDown\tActive\t\tfalse\n"
    );
    assert_eq!(
        text(
            &client,
            r"node ls --format table~{{.ID}}\t{{.EngineVersion}} -f name=b"
        )
        .await,
        "ID                         ENGINE VERSION\nb3d5k8m2p9q1r4s6t7u0v2w4x  0.1.0\n"
    );
    let all = json(&client, "node ls").await;
    assert_eq!(all[0]["manager_status"]["leader"], true);
    assert_eq!(all[2]["spec"]["labels"]["rack"], "7");
}

#[tokio::test]
async fn filters_combine() {
    let (_agent, client) = managers();
    for (filters, names) in [
        ("--filter role=manager", "a\nb\n"),
        ("--filter role=manager --filter name=b", "b\n"),
        ("--filter name=a --filter name=b", "a\nb\n"),
        ("--filter id=c3d5", "c\n"),
        ("--filter label=rack=7", "c\n"),
        ("--filter membership=accepted", "a\nb\nc\n"),
        ("--filter role=manager --filter label=rack", ""),
    ] {
        let line = format!("node ls --format {{{{.Hostname}}}} {filters}");
        assert_eq!(text(&client, &line).await, names, "{filters}");
    }
}

#[tokio::test]
async fn node_inspect_shows_all() {
    let (_agent, client) = managers();

    let told = ask(&client, "node inspect self c nobody").await.unwrap();
    let nodes: Value = serde_json::from_str(&told.text).unwrap();

    assert_eq!(nodes[0]["self"], true);
    assert_eq!(nodes[1]["status"]["state"], "down");
    assert_eq!(nodes[1]["manager_status"], Value::Null);
    assert_eq!(
        told.problems,
        ["node nobody not found\n  → `overlay node ls` shows them"]
    );
    assert_eq!(
        text(
            &client,
            "node inspect c --format {{.Spec.Role}}/{{.Status.State}}/{{.Description.Hostname}}"
        )
        .await,
        "worker/down/c\n"
    );
    assert_eq!(
        text(&client, "node inspect --pretty b c").await,
        "\
ID:             b3d5k8m2p9q1r4s6t7u0v2w4x
Hostname:       b
Joined at:      2025-11-22T15:00:02Z
Role:           manager
State:          Ready
Availability:   Active
Address:        192.0.2.2
Data path:      192.0.2.2
Gossip:         192.0.2.2:7946
Manager status: Reachable (192.0.2.2:2377)
Engine version: 0.1.0

ID:             c3d5k8m2p9q1r4s6t7u0v2w4x
Hostname:       c
Joined at:      2025-11-22T15:00:03Z
Role:           worker
State:          Down
Availability:   Active
Address:        192.0.2.3
Data path:      192.0.2.3
Gossip:         192.0.2.3:7946
Engine version: 0.1.0
Label:          rack=7
"
    );
}

#[tokio::test]
async fn node_ps_lists_endpoints() {
    let (_agent, client) = managers();
    text(&client, "network create --attachable blue").await;
    text(&client, "attach --netns x --network blue --name web").await;

    assert_eq!(
        text(&client, "node ps").await,
        "\
ENDPOINT ID   NAME  NETWORK  ADDRESSES  MAC ADDRESS        NODE
010101010101  web   blue     10.1.0.2   02:42:0a:01:00:02  a
"
    );
    assert_eq!(text(&client, "node ps -q self b").await, "010101010101\n");
    assert_eq!(
        json(&client, "node ps a").await[0]["addresses"][0],
        "10.1.0.2"
    );
    let told = ask(&client, "node ps nobody").await.unwrap();
    assert_eq!(told.problems.len(), 1);
}

#[tokio::test]
async fn nodes_are_updated() {
    let (_agent, client) = managers();

    let line = "node update --availability drain --label-add row=2 --label-rm rack c";
    assert_eq!(text(&client, line).await, "c\n");

    let line = "node inspect c --format {{.Spec.Availability}}{{json~.Spec.Labels}}";
    assert_eq!(text(&client, line).await, "drain{\"row\":\"2\"}\n");
    let again = json(&client, "node update --availability drain c").await;
    assert_eq!(again["changed"], false);
}

#[tokio::test]
async fn roles_change() {
    let (_agent, client) = managers();

    assert_eq!(
        text(&client, "node promote c b").await,
        "Node c promoted to a manager in the swarm.\nNode b is already a manager.\n"
    );
    assert_eq!(
        text(
            &client,
            "node ls --format {{.Hostname}}:{{.ManagerStatus}} -f name=c"
        )
        .await,
        "c:Unreachable\n"
    );
    assert_eq!(
        text(&client, "node demote b c").await,
        "Manager b demoted in the swarm.\nManager c demoted in the swarm.\n"
    );
    assert_eq!(
        text(&client, "node demote c").await,
        "Node c is already a worker.\n"
    );
    let last = ask(&client, "node demote a nobody").await.unwrap();
    assert_eq!(last.text, "");
    assert!(last.problems[0].starts_with("this node is the last manager"));
    assert!(last.problems[1].starts_with("node nobody not found"));
    let promoted = json(&client, "node promote c").await;
    assert_eq!(promoted[0]["node"]["spec"]["role"], "manager");
}

#[tokio::test]
async fn nodes_are_forgotten() {
    let (_agent, client) = managers();

    let told = ask(&client, "node rm b c nobody").await.unwrap();

    assert_eq!(told.text, "c\n");
    assert_eq!(
        told.problems,
        [
            "node b is a cluster manager\n  → run `overlay node demote b` first",
            "node nobody not found\n  → `overlay node ls` shows them",
        ]
    );
    text(&client, "node demote b").await;
    let answering = ask(&client, "node rm b").await.unwrap();
    assert!(answering.problems[0].starts_with("node b is not down and can't be removed"));
    let removed = json(&client, "node rm --force b").await;
    assert_eq!(removed[0]["description"]["hostname"], "b");
}
