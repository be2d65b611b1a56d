//! Endpoints.

use serde_json::Value;

use super::{agent, ask, json, text};
use crate::api::fake::{FakeAgent, FakeBackend};

const ROW: &str = "\
ENDPOINT ID   NAME  NETWORK  IPV4         IPV6  MAC ADDRESS        INTERFACE  STATE
010101010101  web   blue     10.1.0.2/24  -     02:42:0a:01:00:02  eth0       up
";

#[tokio::test]
async fn attach_prints_the_endpoint() {
    let agent = FakeAgent::start(FakeBackend::default());
    let client = agent.client();

    let row = text(
        &client,
        "attach --netns /run/netns/web --network blue --name web",
    )
    .await;
    let line = "attach --netns x --network blue --name db --ip 10.1.0.9 --mac 02:00:00:00:00:09";
    let db = json(&client, line).await;
    let id = text(&client, "attach --netns x --network blue --name c -q").await;

    assert_eq!(row, ROW);
    assert_eq!(db["ipv4"], "10.1.0.9/24");
    assert_eq!(db["mac"], "02:00:00:00:00:09");
    assert_eq!(
        db["netns"],
        std::path::absolute("x").unwrap().to_str().unwrap()
    );
    assert_eq!(id, "03".repeat(32) + "\n");
}

#[tokio::test]
async fn endpoint_ls_lists() {
    let (_agent, client) = agent(FakeBackend::default()).await;
    let id = "01".repeat(32);

    assert_eq!(text(&client, "endpoint ls").await, ROW);
    assert_eq!(text(&client, "endpoint list -q").await, "010101010101\n");
    assert_eq!(
        text(&client, "endpoint ls -q --no-trunc").await,
        format!("{id}\n")
    );
    assert!(text(&client, "endpoint ls --no-trunc").await.contains(&id));
    assert_eq!(
        text(
            &client,
            r"endpoint ls --format {{.Name}}\t{{.IPv4}}\t{{.Namespace.Inode}}"
        )
        .await,
        "web\t10.1.0.2/24\t4026532001\n"
    );
    assert_eq!(
        text(
            &client,
            r"--format table~{{.Name}}\t{{.HostInterface}} endpoint ls"
        )
        .await,
        "NAME  HOST INTERFACE\nweb   ov01\n"
    );
    let json = json(&client, "endpoint ls").await;
    assert_eq!(json[0]["id"], id.as_str());
    assert_eq!(json[0]["state"], "up");
}

#[tokio::test]
async fn endpoint_inspect_finds_by_name_and_identifier() {
    let (_agent, client) = agent(FakeBackend::default()).await;

    // A name wins over the beginning of an identifier.
    ask(&client, "attach --netns x --network blue --name 01")
        .await
        .unwrap();
    assert_eq!(
        text(&client, "endpoint inspect 01 --format {{.Name}}").await,
        "01\n"
    );
    let both = text(&client, "endpoint inspect web 01 0101 --format {{.Name}}").await;
    assert_eq!(both, "web\n01\n");
    for name in ["web", "0101", &"01".repeat(32)] {
        let found = text(&client, &format!("endpoint inspect {name}")).await;
        let found: Value = serde_json::from_str(&found).unwrap();
        assert_eq!(found[0]["name"], "web");
        assert_eq!(found.as_array().unwrap().len(), 1);
    }
    assert_eq!(
        text(&client, "endpoint inspect web --format {{.MTU}}").await,
        "1450\n"
    );
}

#[tokio::test]
async fn inspect_shows_what_it_finds_and_tells_the_rest() {
    let (_agent, client) = agent(FakeBackend::default()).await;

    let endpoints = ask(&client, "endpoint inspect web nobody --format {{.Name}}")
        .await
        .unwrap();
    let networks = ask(&client, "network inspect red blue --format {{.Name}}")
        .await
        .unwrap();

    assert_eq!(endpoints.text, "web\n");
    assert_eq!(
        endpoints.problems,
        ["there is no endpoint `nobody` on this node\n  → `overlay endpoint ls` shows them"]
    );
    assert_eq!(networks.text, "blue\n");
    assert_eq!(
        networks.problems,
        ["there is no network `red`\n  → `overlay network ls` shows them"]
    );
}

#[tokio::test]
async fn detach_prints_names_of_what_is_gone() {
    let (_agent, client) = agent(FakeBackend::default()).await;

    let gone = ask(&client, "detach web nobody --network blue")
        .await
        .unwrap();

    assert_eq!(gone.text, "web\n");
    assert_eq!(
        gone.problems,
        ["there is no endpoint `nobody`\n  → `overlay endpoint ls` shows them"]
    );
    assert_eq!(json(&client, "endpoint ls").await, Value::Array(Vec::new()));
}
