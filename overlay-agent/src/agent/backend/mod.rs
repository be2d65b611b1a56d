//! What the agent answers to requests. Reads what the owner published and what the maps hold; has
//! the owner do the rest.

mod swarm;
mod told;

use std::sync::Arc;

use futures_util::{Stream, stream};
use tokio::{
    sync::{broadcast, mpsc},
    task,
};
use tokio_util::sync::CancellationToken;

use super::{
    audit::{ask, audit},
    doctor, explain,
    owner::Command,
    shared::Shared,
};
use crate::{
    api::{
        ApiError, Backend,
        types::{
            AttachRequest, AuditReport, Breadth, Check, EndpointInfo, EndpointState, Event,
            Explanation, NetworkInfo, Stats, Status,
        },
    },
    datapath::{Counters, map_uses},
};

/// The running agent, as requests see it.
#[derive(Debug)]
pub(super) struct AgentBackend {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) shared: Arc<Shared>,
    pub(super) cancel: CancellationToken,
}

impl AgentBackend {
    /// Runs something that blocks.
    async fn blocking<T: Send + 'static>(
        &self,
        task: impl FnOnce(&Shared) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let shared = Arc::clone(&self.shared);
        let done = task::spawn_blocking(move || task(&shared)).await;
        done.unwrap_or_else(|panicked| Err(ApiError::internal(&panicked)))
    }
}

impl Backend for AgentBackend {
    async fn status(&self) -> Result<Status, ApiError> {
        self.blocking(|shared| {
            let uses = map_uses(&shared.pins, &shared.capacity());
            let uses = uses.map_err(|error| ApiError::internal(&error))?;
            Ok(told::status(shared, &uses))
        })
        .await
    }

    async fn endpoints(&self) -> Result<Vec<EndpointInfo>, ApiError> {
        self.blocking(|shared| {
            let states = told::states()?;
            Ok(told::endpoints(shared, &states))
        })
        .await
    }

    async fn attach(&self, request: AttachRequest) -> Result<EndpointInfo, ApiError> {
        let attached = ask(&self.commands, |answer| Command::Attach(request, answer)).await??;
        Ok(EndpointInfo::new(&attached, EndpointState::Up))
    }

    async fn detach(
        &self,
        name: String,
        network: Option<String>,
    ) -> Result<Vec<EndpointInfo>, ApiError> {
        let command = |answer| Command::Detach(name, network, answer);
        let detached = ask(&self.commands, command).await??;
        let told = |attachment| EndpointInfo::new(attachment, EndpointState::Gone);
        Ok(detached.iter().map(|attachment| told(attachment)).collect())
    }

    async fn networks(&self) -> Result<Vec<NetworkInfo>, ApiError> {
        Ok(told::networks(&self.shared))
    }

    async fn network(&self, name: String, _breadth: Breadth) -> Result<NetworkInfo, ApiError> {
        let found = told::network(&self.shared, &name);
        found.ok_or_else(|| {
            ApiError::not_found(format!("there is no network {name}"))
                .with_help("`overlay network ls` lists them")
        })
    }

    async fn stats(&self) -> Result<Stats, ApiError> {
        self.blocking(|shared| {
            let counters = Counters::read(&shared.pins);
            let counters = counters.map_err(|error| ApiError::internal(&error))?;
            Ok(told::stats(&counters))
        })
        .await
    }

    fn events(&self) -> impl Stream<Item = Event> + Send + use<> {
        let listening = (self.events.subscribe(), self.cancel.clone());
        stream::unfold(listening, |(mut events, cancel)| async move {
            loop {
                let received = tokio::select! {
                    received = events.recv() => received,
                    () = cancel.cancelled() => return None,
                };
                match received {
                    Ok(event) => return Some((event, (events, cancel))),
                    // The listener was too slow; it goes on with what is still there.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        })
    }

    async fn explain(
        &self,
        source: String,
        destination: String,
        network: Option<String>,
    ) -> Result<Explanation, ApiError> {
        self.blocking(move |shared| {
            explain::explain(shared, &source, &destination, network.as_deref())
        })
        .await
    }

    async fn doctor(&self) -> Result<Vec<Check>, ApiError> {
        let expected = ask(&self.commands, Command::Expect).await?;
        self.blocking(move |shared| Ok(doctor::examine(shared, expected.as_ref())))
            .await
    }

    async fn audit(&self) -> Result<AuditReport, ApiError> {
        Ok(audit(&self.commands, &self.shared).await?)
    }
}
