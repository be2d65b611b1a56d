//! Networks, of a configuration file and of the cluster.

use serde_json::Value;

use super::{agent, ask, json, refused, text};
use crate::api::{
    Client,
    fake::{FakeAgent, FakeBackend},
};

/// A manager with the networks `blue`, attachable, and `tasks`.
async fn networks() -> (FakeAgent, Client) {
    let agent = FakeAgent::start(FakeBackend::manager());
    let client = agent.client();
    text(&client, "network create --attachable --label tier=web blue").await;
    text(&client, "network create -d overlay tasks").await;
    (agent, client)
}

#[tokio::test]
async fn networks_of_a_file_have_no_identifier() {
    let (_agent, client) = agent(FakeBackend::default()).await;

    assert_eq!(
        text(&client, "network ls").await,
        "\
NETWORK ID  NAME  DRIVER   SCOPE  VNI   SUBNETS      MTU
-           blue  overlay  local  4096  10.1.0.0/24  1450
"
    );
    assert_eq!(text(&client, "network ls -q").await, "blue\n");
    let inspected = text(&client, "network inspect blue").await;
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected[0]["id"], Value::Null);
    assert_eq!(inspected[0]["gateways"][0], "10.1.0.1");
    assert_eq!(inspected[0]["containers"][0]["name"], "web");
    assert_eq!(inspected[0]["peers"][0]["blocks"][0], "10.1.0.64/26");
    let line = "network inspect blue --format {{.VNI}}:{{.Subnets}}";
    assert_eq!(text(&client, line).await, "4096:[10.1.0.0/24]\n");
}

#[tokio::test]
async fn network_ls_looks_like_docker_s() {
    let (_agent, client) = networks().await;

    assert_eq!(
        text(&client, "network ls").await,
        "\
NETWORK ID    NAME   DRIVER   SCOPE  VNI   SUBNETS      MTU
d05k8m2p9q1r  blue   overlay  swarm  4096  10.0.0.0/24  1450
d15k8m2p9q1r  tasks  overlay  swarm  4097  10.0.1.0/24  1450
"
    );
    assert_eq!(
        text(&client, "network ls -q").await,
        "d05k8m2p9q1r\nd15k8m2p9q1r\n"
    );
    assert_eq!(
        text(&client, "network ls -q --no-trunc -f name=blue").await,
        "d05k8m2p9q1r4s6t7u0v2w4x6\n"
    );
    assert_eq!(
        text(
            &client,
            "network ls -f name=blue --format {{.ID}}~{{.Driver}}~{{.Scope}}~{{.IPv6}}~{{.Labels}}~{{.CreatedAt}}"
        )
        .await,
        "d05k8m2p9q1r overlay swarm false tier=web 2025-11-22T15:00:00Z\n"
    );
    let all = json(&client, "network ls").await;
    assert_eq!(all[0]["id"], "d05k8m2p9q1r4s6t7u0v2w4x6");
    assert_eq!(all[0]["labels"]["tier"], "web");
}

#[tokio::test]
async fn filters_combine() {
    let (_agent, client) = networks().await;
    for (filters, names) in [
        ("--filter name=lu", "blue\n"),
        ("--filter id=15k8", "tasks\n"),
        ("--filter label=tier", "blue\n"),
        ("--filter label=tier=db", ""),
        (
            "--filter driver=overlay --filter scope=swarm",
            "blue\ntasks\n",
        ),
        ("--filter driver=bridge", ""),
        ("--filter scope=local", ""),
    ] {
        let line = format!("network ls --format {{{{.Name}}}} {filters}");
        assert_eq!(text(&client, &line).await, names, "{filters}");
    }
}

#[tokio::test]
async fn network_create_passes_everything_on() {
    let agent = FakeAgent::start(FakeBackend::manager());
    let client = agent.client();

    let id = text(
        &client,
        "network create --driver overlay --subnet 10.7.0.0/16 --ip-range 10.7.8.0/24 --gateway \
         10.7.0.254 --subnet fd07::/64 --ipv6 --internal --attachable --label a=1 --label b -o \
         encrypted --opt com.docker.network.driver.mtu=1400 --aux-address router=10.7.0.9 red",
    )
    .await;
    let inspected = text(&client, "network inspect red").await;
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let red = &inspected[0];

    assert_eq!(id, "d05k8m2p9q1r4s6t7u0v2w4x6\n");
    assert_eq!(red["subnets"][0], "10.7.0.0/16");
    assert_eq!(red["subnets"][1], "fd07::/64");
    assert_eq!(red["gateways"][0], "10.7.0.254");
    assert_eq!(red["ranges"][0], "10.7.8.0/24");
    assert_eq!(red["mtu"], 1400);
    for key in [
        "enable_ipv4",
        "enable_ipv6",
        "internal",
        "attachable",
        "encrypted",
    ] {
        assert_eq!(red[key], true, "{key}");
    }
    assert_eq!(red["labels"]["a"], "1");
    assert_eq!(red["labels"]["b"], "");
    assert_eq!(red["options"]["encrypted"], "");
    assert_eq!(
        refused(&client, "network create red").await,
        "network with name red already exists"
    );
    let odd = ask(&client, "network create --label odd grey")
        .await
        .unwrap();
    assert_eq!(odd.warnings, ["this is odd"]);
    let created = json(&client, "network create green").await;
    assert_eq!(created["id"].as_str().unwrap().len(), 25);
}

#[tokio::test]
async fn inspect_tells_of_one_node_or_all() {
    let (_agent, client) = networks().await;
    text(&client, "attach --netns x --network blue --name web").await;

    let here = json(&client, "network inspect blue").await;
    let everywhere = json(&client, "network inspect -v d05k").await;

    assert_eq!(here[0]["containers"][0].get("node"), None);
    assert_eq!(everywhere[0]["containers"][0]["node"], "a");
    let line = "network inspect blue --format {{.Id}}~{{.Created}}~{{.Attachable}}";
    assert_eq!(
        text(&client, line).await,
        "d05k8m2p9q1r4s6t7u0v2w4x6 1763823600 true\n"
    );
}

#[tokio::test]
async fn only_attachable_networks_take_containers() {
    let (_agent, client) = networks().await;

    assert_eq!(
        refused(&client, "attach --netns x --network tasks --name web").await,
        "Could not attach to network tasks: network tasks not manually attachable\n  → make networks \
         for containers of your own with `overlay network create --attachable`"
    );
}

#[tokio::test]
async fn a_duplicate_name_is_told() {
    let (_agent, client) = networks().await;

    let told = ask(&client, "attach --netns x --network blue --name twin")
        .await
        .unwrap();

    assert_eq!(told.warnings, ["node b has a `twin`, too"]);
    assert!(told.problems.is_empty());
}

#[tokio::test]
async fn network_rm_reports_each() {
    let (_agent, client) = networks().await;
    text(&client, "attach --netns x --network blue --name web").await;

    let told = ask(&client, "network rm blue tasks nothing").await.unwrap();
    let forced = ask(&client, "network rm --force nothing").await.unwrap();

    assert_eq!(told.text, "tasks\n");
    assert_eq!(
        told.problems,
        [
            "network blue is in use by endpoint web\n  → detach it first",
            "there is no network `nothing`\n  → `overlay network ls` shows them",
        ]
    );
    assert_eq!(forced.text, "");
    assert!(forced.problems.is_empty());
    text(&client, "detach web").await;
    assert_eq!(json(&client, "network rm blue").await[0]["name"], "blue");
}

#[tokio::test]
async fn prune_takes_what_nobody_uses() {
    let (_agent, client) = networks().await;
    text(&client, "attach --netns x --network blue --name web").await;

    assert_eq!(
        text(&client, "network prune --force").await,
        "Deleted Networks:\ntasks\n"
    );
    assert_eq!(text(&client, "network prune -f").await, "");
    assert_eq!(
        json(&client, "network prune -f").await,
        Value::Array(Vec::new())
    );
}

#[tokio::test]
async fn endpoints_are_connected_and_disconnected() {
    let (_agent, client) = networks().await;
    text(&client, "attach --netns x --network blue --name web").await;
    text(&client, "network create --attachable red").await;

    assert_eq!(
        text(&client, "network connect --ip 10.1.0.77 red web").await,
        ""
    );
    let list = "endpoint ls --format {{.Network}}/{{.Name}}/{{.IPv4}}";
    assert_eq!(
        text(&client, list).await,
        "blue/web/10.1.0.2/24\nred/web/10.1.0.77/24\n"
    );
    assert_eq!(text(&client, "network disconnect blue web").await, "");
    assert_eq!(text(&client, list).await, "red/web/10.1.0.77/24\n");
    let twice = ask(&client, "network disconnect blue web").await.unwrap();
    assert!(twice.problems[0].starts_with("there is no endpoint `web`"));
    let made = json(&client, "network connect blue web").await;
    assert_eq!(made["network"], "blue");
    let missing = refused(&client, "network connect blue nobody").await;
    assert!(missing.starts_with("there is no endpoint `nobody`"));
}
