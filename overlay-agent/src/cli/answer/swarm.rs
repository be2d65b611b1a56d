//! `overlay swarm …`.

use super::Answer;
use crate::{
    api::{Client, types::RootCa},
    cli::{
        format::Format,
        output::{self, OutputError},
        plan::SwarmQuestion,
    },
};

pub(super) async fn swarm(
    client: &Client,
    question: SwarmQuestion,
    format: &Format,
) -> anyhow::Result<Answer> {
    let text = match question {
        SwarmQuestion::Init(request) => {
            let made = client.swarm_init(&request).await?;
            output::document(&made, format, output::swarm_initialized)?
        }
        SwarmQuestion::Join(request) => {
            let joined = client.swarm_join(&request).await?;
            output::document(&joined, format, output::swarm_joined)?
        }
        SwarmQuestion::Leave(request) => {
            client.swarm_leave(request).await?;
            done("Node left the swarm.", format)?
        }
        SwarmQuestion::JoinToken {
            role,
            rotate,
            is_quiet,
        } => {
            let way = if rotate {
                client.rotate_join_token(role).await?
            } else {
                client.join_way(role).await?
            };
            if is_quiet {
                format!("{}\n", way.token.reveal())
            } else {
                let as_text = |way: &_| output::join_way(way, rotate);
                output::document(&way, format, as_text)?
            }
        }
        SwarmQuestion::Ca { rotate } => return ca(client, rotate, format).await,
        SwarmQuestion::Keys { rotate } => {
            let keys = if rotate {
                client.rotate_gossip_keys().await?
            } else {
                client.gossip_keys().await?
            };
            output::document(&keys, format, output::gossip_keys)?
        }
        SwarmQuestion::Update(request) => {
            client.swarm_update(request).await?;
            done("Swarm updated.", format)?
        }
    };
    Ok(text.into())
}

/// There is nothing to tell but that it is done: `null` as JSON.
fn done(text: &str, format: &Format) -> Result<String, OutputError> {
    output::document(&(), format, |()| format!("{text}\n"))
}

/// The certificate alone on standard output, so that it can be piped.
async fn ca(client: &Client, rotate: bool, format: &Format) -> anyhow::Result<Answer> {
    let root = if rotate {
        client.rotate_root_ca().await?
    } else {
        client.root_ca().await?
    };
    let mut warnings = Vec::new();
    if root.outdated_nodes > 0 && *format == Format::Table {
        warnings.push(format!(
            "the root certificate is being replaced; nodes still to get a new one: {}",
            root.outdated_nodes
        ));
        warnings.extend(root.absent.iter().map(|absent| {
            format!(
                "node {absent} does not answer and holds this up until it returns; if it never will, \
                 `overlay node rm {absent}` ends the wait"
            )
        }));
    }
    Ok(Answer {
        text: output::document(&root, format, |root: &RootCa| root.pem.clone())?,
        warnings,
        ..Answer::default()
    })
}
