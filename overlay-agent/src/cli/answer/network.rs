//! `overlay network …`.

use super::{
    Answer,
    each::{Answered, each},
    endpoint, listed,
};
use crate::{
    api::{
        Client, ClientError, ErrorKind,
        types::{Breadth, NetworkConnect, NetworkCreate, NetworkCreated, NetworkInfo},
    },
    cli::{format::Format, output, plan::NetworkQuestion},
};

/// `inspecting` is what `inspect` prints.
pub(super) async fn network(
    client: &Client,
    question: NetworkQuestion,
    format: &Format,
    inspecting: &Format,
) -> anyhow::Result<Answer> {
    match question {
        NetworkQuestion::List(list, filter) => {
            let mut networks = client.networks().await?;
            networks.retain(|network| filter.keeps(network));
            Ok(listed(&networks, list, format)?.into())
        }
        NetworkQuestion::Inspect { networks, breadth } => {
            inspect(client, &networks, breadth, inspecting).await
        }
        NetworkQuestion::Create(request) => create(client, &request, format).await,
        NetworkQuestion::Remove { networks, may_miss } => {
            remove(client, &networks, may_miss, format).await
        }
        NetworkQuestion::Prune { .. } => {
            let gone = client.networks_prune().await?;
            Ok(output::list(&gone, format, output::pruned)?.into())
        }
        NetworkQuestion::Connect { network, request } => {
            connect(client, &network, &request, format).await
        }
        NetworkQuestion::Disconnect {
            network,
            endpoint: name,
            is_planned,
        } => {
            let names = [name];
            if is_planned {
                endpoint::drain(client, &names, Some(&network)).await;
            }
            let mut answer = endpoint::detach(client, &names, Some(&network), format).await?;
            if *format == Format::Table {
                answer.text.clear();
            }
            Ok(answer)
        }
    }
}

async fn inspect(
    client: &Client,
    names: &[String],
    breadth: Breadth,
    format: &Format,
) -> anyhow::Result<Answer> {
    let networks = each(names, async |name| client.network(name, breadth).await);
    let Answered { answers, problems } = networks.await?;
    Ok(Answer {
        text: output::list(&answers, format, |found| output::aligned(found, true))?,
        problems,
        ..Answer::default()
    })
}

async fn create(
    client: &Client,
    request: &NetworkCreate,
    format: &Format,
) -> anyhow::Result<Answer> {
    let created = client.network_create(request).await?;
    let as_text = |created: &NetworkCreated| format!("{}\n", created.id);
    Ok(Answer {
        text: output::document(&created, format, as_text)?,
        warnings: created.warnings,
        ..Answer::default()
    })
}

async fn remove(
    client: &Client,
    names: &[String],
    may_miss: bool,
    format: &Format,
) -> anyhow::Result<Answer> {
    let removed = each(names, async |name| {
        match client.network_remove(name).await {
            Err(ClientError::Refused(refusal))
                if may_miss && refusal.kind == ErrorKind::NotFound =>
            {
                Ok(None)
            }
            removed => Ok(Some((name.to_owned(), removed?))),
        }
    });
    let Answered { answers, problems } = removed.await?;
    let (names, removed): (Vec<String>, Vec<NetworkInfo>) = answers.into_iter().flatten().unzip();
    Ok(Answer {
        text: output::list(&removed, format, |_| output::names(&names))?,
        problems,
        ..Answer::default()
    })
}

/// Like Docker, it prints nothing unless a format is asked for.
async fn connect(
    client: &Client,
    network: &str,
    request: &NetworkConnect,
    format: &Format,
) -> anyhow::Result<Answer> {
    let made = client.network_connect(network, request).await?;
    Ok(Answer {
        text: output::document(&made, format, |_| String::new())?,
        warnings: made.warnings,
        ..Answer::default()
    })
}
