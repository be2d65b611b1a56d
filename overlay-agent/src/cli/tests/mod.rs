//! What each verb prints, against an agent without a kernel.

mod cluster_usage;
mod diagnosis;
mod endpoints;
mod networks;
mod nodes;
mod overview;
mod services;
mod swarm;
mod usage;

use clap::Parser as _;
use serde_json::Value;

use super::{
    answer::{Answer, answer},
    arguments::Arguments,
    failure::message,
    plan::{Action, Plan},
};
use crate::api::{
    Client,
    fake::{FakeAgent, FakeBackend},
};

fn plan(line: &str) -> Result<Plan, clap::Error> {
    let words = line.split_whitespace().map(|word| word.replace('~', " "));
    Arguments::try_parse_from(words).and_then(Plan::try_from)
}

/// A line is wrong usage, which is told with `part`.
fn assert_wrong(line: &str, part: &str) {
    let error = plan(line).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{line}");
    assert!(error.to_string().contains(part), "{line}: {error}");
}

/// Performs a line; `~` stands for a space inside a word.
async fn ask(client: &Client, line: &str) -> anyhow::Result<Answer> {
    let plan = plan(&format!("overlay {line}")).unwrap();
    let Action::Ask(question) = plan.action else {
        panic!("no question: {:?}", plan.action);
    };
    answer(client, question, plan.format).await
}

/// What the agent refuses, as it is told.
async fn refused(client: &Client, line: &str) -> String {
    message(&ask(client, line).await.unwrap_err())
}

async fn text(client: &Client, line: &str) -> String {
    ask(client, line).await.unwrap().text
}

async fn json(client: &Client, line: &str) -> Value {
    let text = text(client, &format!("{line} --format json")).await;
    assert!(text.ends_with('\n'));
    serde_json::from_str(&text).unwrap()
}

/// An agent with one endpoint, `web`.
async fn agent(backend: FakeBackend) -> (FakeAgent, Client) {
    let agent = FakeAgent::start(backend);
    let client = agent.client();
    ask(
        &client,
        "attach --netns /run/netns/web --network blue --name web",
    )
    .await
    .unwrap();
    (agent, client)
}
