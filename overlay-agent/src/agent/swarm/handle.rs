//! How requests reach the part that follows the swarm.

use std::time::Duration;

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep},
};

use super::{News, encryption::Encryption};
use crate::{
    agent::addresses::Need,
    api::{ApiError, ErrorKind, refusals::not_in_swarm},
    model::{ServiceId, Vni},
};

/// How long what managers have just made may be on its way to this node.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

/// Time between two looks whether it has come.
const LOOK: Duration = Duration::from_millis(50);

/// Asks the follower.
#[derive(Clone, Debug)]
pub(in crate::agent) struct Handle {
    news: mpsc::UnboundedSender<News>,
    encryption: Option<Encryption>,
}

/// The right to attach to a network, which exists on this node at least as long as this value.
#[derive(Debug)]
pub(in crate::agent) struct Stay {
    vni: Vni,
    news: mpsc::UnboundedSender<News>,
}

impl Handle {
    /// Asks whoever takes these news.
    pub(in crate::agent) fn new(news: mpsc::UnboundedSender<News>) -> Self {
        Self {
            news,
            encryption: None,
        }
    }

    /// Asks this one whether endpoints may come to encrypted networks.
    pub(super) fn with_encryption(self, encryption: Encryption) -> Self {
        Self {
            encryption: Some(encryption),
            ..self
        }
    }

    /// What encrypts for this node.
    pub(in crate::agent) fn encryption(&self) -> Option<&Encryption> {
        self.encryption.as_ref()
    }

    /// Whether an endpoint may come to a network now, by itself or as a task of a service. Where it may,
    /// the network exists here when this returns.
    pub(in crate::agent) async fn admit(
        &self,
        network: &str,
        service: Option<ServiceId>,
    ) -> Result<Stay, ApiError> {
        let asked = Instant::now();
        let vni = loop {
            let network = network.to_owned();
            let admitted = self.ask(|answer| News::Admit(network, service, answer));
            match admitted.await {
                Ok(vni) => break vni,
                Err(error) if error.kind == ErrorKind::NotFound && asked.elapsed() < ON_ITS_WAY => {
                    sleep(LOOK).await;
                }
                Err(error) => return Err(error),
            }
        };
        let stay = Stay {
            vni,
            news: self.news.clone(),
        };
        match &self.encryption {
            Some(encryption) => encryption.ready(vni).await.map(|()| stay),
            // Only tests have none, and their networks exist nowhere.
            None => Ok(stay),
        }
    }

    /// Tells the others that these endpoints are about to go: no new flows come to them. Returns once
    /// that is said.
    pub(in crate::agent) async fn drain(&self, endpoints: Vec<String>) -> Result<(), ApiError> {
        self.ask(|answer| News::Drain(endpoints, answer)).await
    }

    /// Gets a lease from the managers. When this returns, the owner has it.
    pub(in crate::agent) async fn lease(&self, vni: Vni, need: Need) -> Result<(), ApiError> {
        self.ask(|answer| News::Lease(vni, need, answer)).await
    }

    async fn ask<T>(
        &self,
        news: impl FnOnce(oneshot::Sender<Result<T, ApiError>>) -> News,
    ) -> Result<T, ApiError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.news.send(news(answer));
        sent.map_err(|_closed| not_in_swarm())?;
        answered.await.map_err(|_closed| not_in_swarm())?
    }
}

impl Stay {
    /// The network.
    pub(in crate::agent) fn vni(&self) -> Vni {
        self.vni
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        if self.news.send(News::Done(self.vni)).is_err() {
            tracing::trace!("the swarm was left meanwhile");
        }
    }
}
