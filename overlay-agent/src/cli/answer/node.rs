//! `overlay node …`.

use super::{
    Answer,
    each::{Answered, each},
    listed,
};
use crate::{
    api::{
        Client,
        types::{NodeInfo, NodeRemove, NodeUpdate, NodeUpdated},
    },
    cli::{
        format::Format,
        output,
        plan::{List, NodeQuestion},
    },
    model::Role,
};

/// `inspecting` is what `inspect` prints.
pub(super) async fn node(
    client: &Client,
    question: NodeQuestion,
    format: &Format,
    inspecting: &Format,
) -> anyhow::Result<Answer> {
    match question {
        NodeQuestion::List(list, filter) => {
            let mut nodes = client.nodes().await?;
            nodes.retain(|node| filter.keeps(node));
            Ok(listed(&nodes, list, format)?.into())
        }
        NodeQuestion::Inspect { nodes, is_pretty } => {
            inspect(client, &nodes, if is_pretty { format } else { inspecting }).await
        }
        NodeQuestion::Endpoints { nodes, list } => endpoints(client, &nodes, list, format).await,
        NodeQuestion::Update { node, request } => {
            let updated = client.node_update(&node, &request).await?;
            let as_text = |_: &_| format!("{node}\n");
            Ok(output::document(&updated, format, as_text)?.into())
        }
        NodeQuestion::ChangeRole { nodes, role } => change_role(client, &nodes, role, format).await,
        NodeQuestion::Remove { nodes, request } => remove(client, &nodes, request, format).await,
    }
}

async fn inspect(client: &Client, names: &[String], format: &Format) -> anyhow::Result<Answer> {
    let nodes = each(names, async |name| client.node(name).await);
    let Answered { answers, problems } = nodes.await?;
    Ok(Answer {
        text: output::list(&answers, format, output::nodes)?,
        problems,
        ..Answer::default()
    })
}

async fn endpoints(
    client: &Client,
    names: &[String],
    list: List,
    format: &Format,
) -> anyhow::Result<Answer> {
    let endpoints = each(names, async |name| client.node_endpoints(name).await);
    let Answered { answers, problems } = endpoints.await?;
    Ok(Answer {
        text: listed(&answers.concat(), list, format)?,
        problems,
        ..Answer::default()
    })
}

async fn change_role(
    client: &Client,
    names: &[String],
    role: Role,
    format: &Format,
) -> anyhow::Result<Answer> {
    let request = NodeUpdate {
        role: Some(role),
        ..NodeUpdate::default()
    };
    let updated = each(names, async |name| {
        let updated = client.node_update(name, &request).await?;
        Ok((name.to_owned(), updated))
    });
    let Answered { answers, problems } = updated.await?;
    let (names, updated): (Vec<String>, Vec<NodeUpdated>) = answers.into_iter().unzip();
    let as_text = |updated: &[NodeUpdated]| {
        let told = names.iter().zip(updated);
        let lines: Vec<String> = told
            .map(|(name, updated)| role_changed(name, role, updated.changed))
            .collect();
        lines.concat()
    };
    Ok(Answer {
        text: output::list(&updated, format, as_text)?,
        problems,
        ..Answer::default()
    })
}

fn role_changed(name: &str, role: Role, is_changed: bool) -> String {
    match (role, is_changed) {
        (_, false) => format!("Node {name} is already a {role}.\n"),
        (Role::Manager, true) => format!("Node {name} promoted to a manager in the swarm.\n"),
        (Role::Worker, true) => format!("Manager {name} demoted in the swarm.\n"),
    }
}

async fn remove(
    client: &Client,
    names: &[String],
    request: NodeRemove,
    format: &Format,
) -> anyhow::Result<Answer> {
    let removed = each(names, async |name| {
        let removed = client.node_remove(name, request).await?;
        Ok((name.to_owned(), removed))
    });
    let Answered { answers, problems } = removed.await?;
    let (names, removed): (Vec<String>, Vec<NodeInfo>) = answers.into_iter().unzip();
    Ok(Answer {
        text: output::list(&removed, format, |_| output::names(&names))?,
        problems,
        ..Answer::default()
    })
}
