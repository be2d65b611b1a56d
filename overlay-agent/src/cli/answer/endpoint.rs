//! Endpoints of this node.

use std::slice;

use futures_util::future::join_all;

use super::{
    Answer,
    each::{Answered, each},
};
use crate::{
    api::{
        Client,
        types::{AttachRequest, EndpointInfo, TaskAttach},
    },
    cli::{LONGEST_DRAIN, format::Format, output, resolver},
};

pub(super) async fn attach(
    client: &Client,
    request: &AttachRequest,
    is_quiet: bool,
    format: &Format,
) -> anyhow::Result<Answer> {
    let mut made = client.attach(request).await?;
    made.warnings.extend(resolver::write(client, &made).await);
    let as_row = |made: &EndpointInfo| output::aligned(slice::from_ref(made), false);
    let text = if is_quiet {
        output::handles(slice::from_ref(&made), true)
    } else {
        output::document(&made, format, as_row)?
    };
    Ok(Answer {
        text,
        warnings: made.warnings,
        ..Answer::default()
    })
}

/// Has all of them end their connections at once. Who cannot be asked is dealt with by what comes next.
pub(super) async fn drain(client: &Client, names: &[String], network: Option<&str>) {
    let patient = client.clone().with_patience(LONGEST_DRAIN);
    let drained = names.iter().map(|name| patient.drain(name, network));
    for outcome in join_all(drained).await {
        if let Err(error) = outcome {
            let error: &dyn std::error::Error = &error;
            tracing::debug!(error, "could not drain");
        }
    }
}

/// One row or identifier for each network of the service.
pub(super) async fn attach_task(
    client: &Client,
    service: &str,
    request: &TaskAttach,
    is_quiet: bool,
    format: &Format,
) -> anyhow::Result<Answer> {
    let made = client.task_attach(service, request).await?;
    let text = if is_quiet {
        output::handles(&made, true)
    } else {
        output::list(&made, format, |made| output::aligned(made, false))?
    };
    Ok(Answer {
        text,
        warnings: made.into_iter().flat_map(|made| made.warnings).collect(),
        ..Answer::default()
    })
}

/// Takes away what it can; like `docker rm`, it prints the names of what is gone.
pub(super) async fn detach(
    client: &Client,
    names: &[String],
    network: Option<&str>,
    format: &Format,
) -> anyhow::Result<Answer> {
    let detached = each(names, async |name| client.detach(name, network).await);
    let Answered { answers, problems } = detached.await?;
    let gone = answers.concat();
    let warnings = resolver::remove(client, &gone).await;
    let names = |gone: &[EndpointInfo]| {
        let lines: Vec<String> = gone
            .iter()
            .map(|endpoint| endpoint.name.clone() + "\n")
            .collect();
        lines.concat()
    };
    Ok(Answer {
        text: output::list(&gone, format, names)?,
        warnings,
        problems,
        ..Answer::default()
    })
}

pub(super) async fn inspect(
    client: &Client,
    names: &[String],
    format: &Format,
) -> anyhow::Result<Answer> {
    let all = client.endpoints().await?;
    let mut found: Vec<EndpointInfo> = Vec::new();
    let mut problems = Vec::new();
    for name in names {
        let matching = named(&all, name);
        if matching.is_empty() {
            problems.push(format!(
                "there is no endpoint `{name}` on this node\n  → `overlay endpoint ls` shows them"
            ));
        }
        let new = matching
            .into_iter()
            .filter(|one| !found.contains(one))
            .cloned();
        found.extend(new.collect::<Vec<_>>());
    }
    Ok(Answer {
        text: output::list(&found, format, |found| output::aligned(found, true))?,
        problems,
        ..Answer::default()
    })
}

/// Endpoints with this name; if there is none, those whose identifier begins so.
fn named<'a>(all: &'a [EndpointInfo], name: &str) -> Vec<&'a EndpointInfo> {
    let by_name: Vec<_> = all
        .iter()
        .filter(|endpoint| endpoint.name == name)
        .collect();
    if !by_name.is_empty() || name.is_empty() {
        return by_name;
    }
    all.iter()
        .filter(|endpoint| endpoint.id.starts_with(name))
        .collect()
}
