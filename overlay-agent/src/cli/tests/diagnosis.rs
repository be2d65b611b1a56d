//! What is wrong, and errors.

use super::{agent, ask, json, text};
use crate::{
    api::{Client, fake::FakeBackend},
    cli::failure::message,
};

#[tokio::test]
async fn doctor_marks_verdicts() {
    let (_healthy, client) = agent(FakeBackend::default()).await;
    let (_ill, ill) = agent(FakeBackend::ill()).await;

    let good = ask(&client, "doctor").await.unwrap();
    let bad = ask(&ill, "doctor").await.unwrap();

    assert_eq!(
        good.text,
        "\
✓ kernel  6.18.44
! netkit  not in this kernel
          → use Linux 6.7 or newer

1 ok, 1 to know, 0 to repair
"
    );
    assert!(!good.is_bad);
    assert!(
        bad.text
            .contains("✗ port    4789 is taken\n          → stop what uses it")
    );
    assert!(bad.is_bad);
    let line = r"doctor --format {{.Name}}\t{{.Verdict}}";
    assert_eq!(
        text(&ill, line).await,
        "kernel\tok\nnetkit\twarn\nport\tfail\n"
    );
    assert_eq!(json(&ill, "doctor").await[2]["verdict"], "fail");
}

#[tokio::test]
async fn doctor_finds_a_missing_agent() {
    let directory = tempfile::tempdir().unwrap();
    let client = Client::new(directory.path());

    let told = ask(&client, "doctor").await.unwrap();

    assert!(told.is_bad);
    assert!(
        told.text.starts_with("✗ agent  no agent answers on /"),
        "{}",
        told.text
    );
    assert!(
        told.text
            .contains("→ start it with `overlay-agent --run-dir")
    );
}

#[tokio::test]
async fn explain_says_which_step_decides() {
    let (_healthy, client) = agent(FakeBackend::default()).await;
    let (_ill, ill) = agent(FakeBackend::ill()).await;

    let good = ask(&client, "explain web 10.1.0.70 --network blue")
        .await
        .unwrap();
    let bad = ask(&ill, "explain web 10.1.0.99").await.unwrap();

    assert_eq!(
        good.text,
        "\
web → 10.1.0.70 on blue
✓ source  web sends as 10.1.0.2
! MTU     packets over 1450 bytes are refused
✓ route   block 10.1.0.64/26 of node b
the packet arrives, as far as this node can tell
"
    );
    assert!(!good.is_bad);
    assert!(bad.is_bad);
    assert!(bad.text.ends_with(
        "✗ route   nobody has it; see `overlay network inspect blue`\nthe packet does not arrive\n"
    ));
    assert_eq!(json(&ill, "explain web x").await["arrives"], false);
}

#[tokio::test]
async fn errors_keep_the_agents_advice() {
    let (_agent, client) = agent(FakeBackend::default()).await;

    let error = ask(&client, "attach --netns x --network red --name y")
        .await
        .unwrap_err();
    let template = ask(&client, "endpoint ls --format {{.Colour}}")
        .await
        .unwrap_err();

    assert_eq!(
        message(&error),
        "there is no network `red`\n  → `overlay network ls` shows them"
    );
    assert!(
        message(&template).starts_with("there is no field `.Colour`; there are .Created .Host")
    );
}
