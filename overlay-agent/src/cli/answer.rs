//! Asks the agent and puts its answer into words.

use std::slice;

use super::{
    failure,
    format::Format,
    output::{self, OutputError},
    plan::{List, Question},
};
use crate::api::{
    Client, ClientError,
    types::{AttachRequest, Breadth, Check, CheckVerdict, EndpointInfo},
};

/// What to print.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// For standard output.
    pub(super) text: String,
    /// What could not be done while the rest was, for standard error.
    pub(super) problems: Vec<String>,
    /// The question was answered, but not as one would like.
    pub(super) is_bad: bool,
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }
}

/// Asks and answers; `format` is what `--format` says.
pub(super) async fn answer(
    client: &Client,
    question: Question,
    format: Option<Format>,
) -> anyhow::Result<Answer> {
    let (format, inspecting) = match format {
        Some(format) => (format.clone(), format),
        None => (Format::Table, Format::Json),
    };
    Ok(match question {
        Question::Attach { request, is_quiet } => {
            attach(client, &request, is_quiet, &format).await?.into()
        }
        Question::Detach { endpoints, network } => {
            detach(client, &endpoints, network.as_deref(), &format).await?
        }
        Question::ListEndpoints(list) => rows(&client.endpoints().await?, list, &format)?.into(),
        Question::InspectEndpoints(names) => inspect_endpoints(client, &names, &inspecting).await?,
        Question::ListNetworks(list) => rows(&client.networks().await?, list, &format)?.into(),
        Question::InspectNetworks(names) => inspect_networks(client, &names, &inspecting).await?,
        Question::Status => {
            output::document(&client.status().await?, &format, output::status)?.into()
        }
        Question::Doctor => doctor(client, &format).await?,
        Question::Stats { with_zeroes } => {
            let as_text = |stats: &_| output::stats(stats, with_zeroes);
            output::document(&client.stats().await?, &format, as_text)?.into()
        }
        Question::Explain {
            source,
            destination,
            network,
        } => {
            let told = client
                .explain(&source, &destination, network.as_deref())
                .await?;
            Answer {
                text: output::document(&told, &format, output::explanation)?,
                is_bad: !told.arrives,
                ..Answer::default()
            }
        }
        Question::Audit => output::document(&client.audit().await?, &format, output::audit)?.into(),
    })
}

fn rows<R: output::Row>(rows: &[R], list: List, format: &Format) -> Result<String, OutputError> {
    if list.is_quiet {
        Ok(output::handles(rows, list.in_full))
    } else {
        output::list(rows, format, |rows| output::aligned(rows, list.in_full))
    }
}

async fn attach(
    client: &Client,
    request: &AttachRequest,
    is_quiet: bool,
    format: &Format,
) -> anyhow::Result<String> {
    let made = client.attach(request).await?;
    if is_quiet {
        return Ok(output::handles(slice::from_ref(&made), true));
    }
    let as_row = |made: &EndpointInfo| output::aligned(slice::from_ref(made), false);
    Ok(output::document(&made, format, as_row)?)
}

/// Takes away what it can; like `docker rm`, it prints the names of what is gone.
async fn detach(
    client: &Client,
    names: &[String],
    network: Option<&str>,
    format: &Format,
) -> anyhow::Result<Answer> {
    let mut gone = Vec::new();
    let mut problems = Vec::new();
    for name in names {
        match client.detach(name, network).await {
            Ok(endpoints) => gone.extend(endpoints),
            Err(error @ ClientError::Refused(_)) => problems.push(failure::message(&error.into())),
            Err(error) => return Err(error.into()),
        }
    }
    let names = |gone: &[EndpointInfo]| {
        let lines: Vec<String> = gone
            .iter()
            .map(|endpoint| endpoint.name.clone() + "\n")
            .collect();
        lines.concat()
    };
    Ok(Answer {
        text: output::list(&gone, format, names)?,
        problems,
        is_bad: false,
    })
}

async fn inspect_endpoints(
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
        is_bad: false,
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

async fn inspect_networks(
    client: &Client,
    names: &[String],
    format: &Format,
) -> anyhow::Result<Answer> {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for name in names {
        match client.network(name, Breadth::Node).await {
            Ok(network) => found.push(network),
            Err(error @ ClientError::Refused(_)) => problems.push(failure::message(&error.into())),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Answer {
        text: output::list(&found, format, |found| output::aligned(found, true))?,
        problems,
        is_bad: false,
    })
}

/// A missing agent is the first thing that a doctor finds.
async fn doctor(client: &Client, format: &Format) -> anyhow::Result<Answer> {
    let checks = match client.doctor().await {
        Ok(checks) => checks,
        Err(error @ ClientError::NotRunning { .. }) => vec![Check {
            name: "agent".to_owned(),
            verdict: CheckVerdict::Fail,
            detail: error.to_string(),
            remedy: error.help(),
        }],
        Err(error) => return Err(error.into()),
    };
    Ok(Answer {
        text: output::list(&checks, format, output::checks)?,
        problems: Vec::new(),
        is_bad: checks
            .iter()
            .any(|check| check.verdict == CheckVerdict::Fail),
    })
}
