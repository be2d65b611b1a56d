//! What the agent answers to requests. Reads what the owner published and what the maps hold; has
//! the owner do the rest.

mod doors;
mod roster;
mod services;
mod swarm;
mod told;

use std::{sync::Arc, time::Instant};

use futures_util::{Stream, stream};
use tokio::{
    sync::{broadcast, watch},
    task,
};
use tokio_util::sync::CancellationToken;

use super::{
    addresses::NoAddress,
    arrival,
    audit::{ask, audit},
    detach, doctor, drain, explain,
    owner::{Command, Membership},
    plane::Plane,
    shared::Shared,
    swarm::Life,
};
use crate::{
    api::{
        ApiError, Backend, refusals,
        types::{
            AttachRequest, AuditReport, Breadth, Check, EndpointInfo, EndpointState, Event,
            Explanation, NetworkInfo, Stats, Status,
        },
    },
    datapath::{Counters, Features, map_uses},
    settings::Settings,
};

/// The running agent, as requests see it.
#[derive(Debug)]
pub(super) struct AgentBackend {
    /// The data plane, while there is one.
    pub(super) planes: watch::Receiver<Option<Arc<Plane>>>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) outline: Arc<Outline>,
    pub(super) cancel: CancellationToken,
    /// This node's part in a swarm; none in a static cluster.
    pub(super) life: Option<Arc<Life>>,
}

/// What an agent knows of itself before it has its place in a cluster.
#[derive(Debug)]
pub(super) struct Outline {
    /// The configuration.
    pub(super) settings: Settings,
    /// What the kernel can do.
    pub(super) features: Features,
    /// When the agent started.
    pub(super) started: Instant,
}

impl AgentBackend {
    /// The data plane, if this node has its place in a cluster.
    fn plane(&self) -> Result<Arc<Plane>, ApiError> {
        let plane = self.planes.borrow().clone();
        plane.ok_or_else(|| self.absence())
    }

    /// Why there is no data plane.
    fn absence(&self) -> ApiError {
        let life = self.life.as_ref();
        life.map_or_else(refusals::not_in_swarm, |life| life.absence())
    }

    /// What an endpoint is to be in the service that its request names. It does not follow that one into
    /// other networks: its own was chosen.
    fn membership(&self, request: &AttachRequest) -> Result<Option<Membership>, ApiError> {
        let Some(name) = &request.service else {
            return Ok(None);
        };
        let view = self.access()?.view.borrow().clone();
        let service = view.service(name);
        let service = service.ok_or_else(|| refusals::no_service(name))?.id;
        Ok(Some(Membership {
            service,
            follows: false,
        }))
    }

    /// Makes an endpoint.
    async fn attach_as(
        &self,
        request: AttachRequest,
        membership: Option<Membership>,
    ) -> Result<EndpointInfo, ApiError> {
        let plane = self.plane()?;
        let attached = match &plane.swarm {
            Some(swarm) => arrival::attach_leased(&plane, swarm, &request, membership).await?,
            None => match arrival::attach(&plane, &request, membership).await? {
                Ok(attached) => attached,
                Err(NoAddress::Refused(error)) => return Err(error),
                Err(NoAddress::Lacks(_)) => return Err(self.absence()),
            },
        };
        let pools = told::pools(&plane.shared);
        let mut info = EndpointInfo::new(&attached, EndpointState::Up, pools);
        if let Ok(access) = self.access() {
            info.warnings = roster::namesakes(&access, &attached).await;
        }
        Ok(info)
    }

    /// Runs something that blocks.
    async fn blocking<T: Send + 'static>(
        &self,
        task: impl FnOnce(&Shared) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let shared = Arc::clone(&self.plane()?.shared);
        let done = task::spawn_blocking(move || task(&shared)).await;
        done.unwrap_or_else(|panicked| Err(ApiError::internal(&panicked)))
    }
}

impl Backend for AgentBackend {
    async fn status(&self) -> Result<Status, ApiError> {
        if self.plane().is_err() {
            return Ok(told::waiting(&self.outline));
        }
        let cluster = match self.access() {
            Ok(access) => Some(roster::status(&access).await?),
            Err(_not_in_one) => None,
        };
        self.blocking(|shared| {
            let uses = map_uses(&shared.pins, &shared.capacity());
            let uses = uses.map_err(|error| ApiError::internal(&error))?;
            Ok(Status {
                cluster,
                ..told::status(shared, &uses)
            })
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
        let membership = self.membership(&request)?;
        self.attach_as(request, membership).await
    }

    async fn detach(
        &self,
        name: String,
        network: Option<String>,
    ) -> Result<Vec<EndpointInfo>, ApiError> {
        let command = |answer| Command::Detach(name, network, answer);
        let plane = self.plane()?;
        let detached = ask(&plane.commands, command).await??;
        let pools = told::pools(&plane.shared);
        let told = |attachment| EndpointInfo::new(attachment, EndpointState::Gone, pools);
        Ok(detached.iter().map(|attachment| told(attachment)).collect())
    }

    async fn drain(
        &self,
        name: String,
        network: Option<String>,
    ) -> Result<Vec<EndpointInfo>, ApiError> {
        let plane = self.plane()?;
        let found = detach::find(&plane.shared.directory(), &name, network.as_deref())?;
        if let Ok(access) = self.access() {
            let view = access.view.borrow().clone();
            drain::drain(&plane, &view, &found).await?;
        }
        let pools = told::pools(&plane.shared);
        let told = |attachment| EndpointInfo::new(attachment, EndpointState::Up, pools);
        Ok(found.iter().map(|attachment| told(attachment)).collect())
    }

    async fn networks(&self) -> Result<Vec<NetworkInfo>, ApiError> {
        let plane = self.plane()?;
        Ok(match self.access() {
            Ok(access) => roster::networks(&access, &plane.shared),
            Err(_static) => told::networks(&plane.shared),
        })
    }

    async fn network(&self, name: String, breadth: Breadth) -> Result<NetworkInfo, ApiError> {
        let plane = self.plane()?;
        if let Ok(access) = self.access() {
            return roster::network(&access, &plane.shared, &name, breadth).await;
        }
        let found = told::network(&plane.shared, &name);
        found.ok_or_else(|| {
            ApiError::not_found(format!("there is no network {name}"))
                .with_help("`overlay network ls` lists them")
        })
    }

    async fn stats(&self) -> Result<Stats, ApiError> {
        let control = self.access().map(|access| doors::counts(&access));
        let control = control.unwrap_or_default();
        self.blocking(|shared| {
            let counters = Counters::read(&shared.pins);
            let counters = counters.map_err(|error| ApiError::internal(&error))?;
            Ok(Stats {
                control,
                ..told::stats(shared, &counters)
            })
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
        let Ok(plane) = self.plane() else {
            return Ok(vec![doctor::waiting()]);
        };
        let expected = ask(&plane.commands, Command::Expect).await?;
        self.blocking(move |shared| Ok(doctor::examine(shared, expected.as_ref())))
            .await
    }

    async fn audit(&self) -> Result<AuditReport, ApiError> {
        let plane = self.plane()?;
        let mut report = audit(&plane.commands, &plane.shared).await?;
        let swarm = plane.swarm.as_ref();
        if let Some(encryption) = swarm.and_then(|swarm| swarm.encryption()) {
            report.repaired.extend(encryption.audit().await);
        }
        Ok(report)
    }
}
