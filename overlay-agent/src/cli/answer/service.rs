//! `overlay service …`.

use super::{
    Answer,
    each::{Answered, each},
    listed,
};
use crate::{
    api::{
        Client,
        types::{ServiceCreated, ServiceInfo},
    },
    cli::{
        format::Format,
        output,
        plan::{List, ServiceQuestion},
    },
};

/// `inspecting` is what `inspect` prints.
pub(super) async fn service(
    client: &Client,
    question: ServiceQuestion,
    format: &Format,
    inspecting: &Format,
) -> anyhow::Result<Answer> {
    match question {
        ServiceQuestion::List(list, filter) => {
            let mut services = client.services().await?;
            services.retain(|service| filter.keeps(service));
            Ok(listed(&services, list, format)?.into())
        }
        ServiceQuestion::Inspect {
            services,
            is_pretty,
        } => {
            inspect(
                client,
                &services,
                if is_pretty { format } else { inspecting },
            )
            .await
        }
        ServiceQuestion::Create(request) => {
            let created = client.service_create(&request).await?;
            let as_text = |created: &ServiceCreated| format!("{}\n", created.id);
            Ok(Answer {
                text: output::document(&created, format, as_text)?,
                warnings: created.warnings,
                ..Answer::default()
            })
        }
        ServiceQuestion::Tasks { services, list } => tasks(client, &services, list, format).await,
        ServiceQuestion::Update { service, request } => {
            let updated = client.service_update(&service, &request).await?;
            let as_text = |_: &_| format!("{service}\n");
            Ok(output::document(&updated, format, as_text)?.into())
        }
        ServiceQuestion::Remove(services) => remove(client, &services, format).await,
    }
}

async fn inspect(client: &Client, names: &[String], format: &Format) -> anyhow::Result<Answer> {
    let services = each(names, async |name| client.service(name).await);
    let Answered { answers, problems } = services.await?;
    Ok(Answer {
        text: output::list(&answers, format, output::services)?,
        problems,
        ..Answer::default()
    })
}

async fn tasks(
    client: &Client,
    names: &[String],
    list: List,
    format: &Format,
) -> anyhow::Result<Answer> {
    let tasks = each(names, async |name| client.service_tasks(name).await);
    let Answered { answers, problems } = tasks.await?;
    Ok(Answer {
        text: listed(&answers.concat(), list, format)?,
        problems,
        ..Answer::default()
    })
}

async fn remove(client: &Client, names: &[String], format: &Format) -> anyhow::Result<Answer> {
    let removed = each(names, async |name| {
        let removed = client.service_remove(name).await?;
        Ok((name.to_owned(), removed))
    });
    let Answered { answers, problems } = removed.await?;
    let (names, removed): (Vec<String>, Vec<ServiceInfo>) = answers.into_iter().unzip();
    Ok(Answer {
        text: output::list(&removed, format, |_| output::names(&names))?,
        problems,
        ..Answer::default()
    })
}
