//! Leases, asked for from the managers.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::Leases;
use crate::{
    api::{ApiError, ErrorKind, refusals},
    cluster::{
        client::{Client, ClientError},
        manager::{Answer, Ask},
        service,
        state::{Change, Family, Refusal, RefusalKind, Reply},
    },
    model::{ClusterView, Lease, NetworkId, RequestId, Vni},
};

/// How often an address is asked for again that another node has, and how long that one may take to give
/// it back.
const RETURNS: u32 = 2;
const RETURN: Duration = Duration::from_millis(250);

/// Asks the managers, whoever of them answers.
#[derive(Clone, Debug)]
pub(in crate::agent) struct ManagersClient {
    client: Client,
    view: watch::Receiver<Arc<ClusterView>>,
}

impl ManagersClient {
    /// Asks over `client`; `view` tells the identifiers of networks.
    pub(super) fn new(client: Client, view: watch::Receiver<Arc<ClusterView>>) -> Self {
        Self { client, view }
    }

    /// Asks for what a node may ask for.
    pub(in crate::agent) async fn ask(&self, ask: Ask) -> Result<Answer, ApiError> {
        let id = RequestId::from_random(rand::random());
        let asked = self.client.request(id, &ask).await;
        asked.map_err(|error| told(&error))
    }

    /// Changes the cluster, which only a manager may.
    pub(in crate::agent) async fn change(&self, change: Change) -> Result<Reply, ApiError> {
        let answer = self.ask(Ask::Change(Box::new(change))).await?;
        // What this node shows next should have it. A manager that lags for longer is told elsewhere.
        let mut view = self.view.clone();
        let seen = view.wait_for(|view| view.index >= answer.index);
        let waited = tokio::time::timeout(std::time::Duration::from_secs(1), seen).await;
        tracing::trace!(is_seen = waited.is_ok(), "the change was made");
        Ok(answer.reply)
    }

    fn id_of(&self, vni: Vni) -> Result<NetworkId, ApiError> {
        let view = self.view.borrow();
        let network = view.networks.get(&vni);
        network
            .map(|network| network.id)
            .ok_or_else(|| refusals::no_network(&vni.to_string()))
    }

    async fn leased(&self, ask: Ask) -> Result<Lease, ApiError> {
        match self.ask(ask).await?.reply {
            Reply::Leases(leases) => leases.first().copied(),
            Reply::Done | Reply::Network { .. } | Reply::Reaped(_) | Reply::Service { .. } => None,
        }
        .ok_or_else(|| ApiError::unavailable("the managers answered without a lease"))
    }
}

impl Leases for ManagersClient {
    async fn lease(&self, vni: Vni, is_ipv4: bool) -> Result<Lease, ApiError> {
        let network = self.id_of(vni)?;
        let family = if is_ipv4 { Family::Ipv4 } else { Family::Ipv6 };
        let families = BTreeSet::from([family]);
        self.leased(Ask::LeaseBlocks { network, families }).await
    }

    async fn lease_exact(&self, vni: Vni, address: IpAddr) -> Result<Lease, ApiError> {
        let network = self.id_of(vni)?;
        // Where an endpoint has just left it, its node gives it back in a moment.
        for _ in 0..RETURNS {
            match self.leased(Ask::LeaseAddress { network, address }).await {
                Err(error) if error.kind == ErrorKind::Conflict => sleep(RETURN).await,
                asked => return asked,
            }
        }
        self.leased(Ask::LeaseAddress { network, address }).await
    }

    async fn give_back(&self, lease: Lease) -> Result<(), ApiError> {
        let network = self.id_of(lease.vni)?;
        let blocks = BTreeSet::from([lease.block]);
        self.ask(Ask::GiveBack { network, blocks }).await?;
        Ok(())
    }
}

/// A refusal of the managers' state, as the API tells it.
pub(in crate::agent) fn refused(refusal: &Refusal) -> ApiError {
    let kind = match refusal.kind() {
        RefusalKind::BadRequest => ErrorKind::BadRequest,
        RefusalKind::Forbidden => ErrorKind::Forbidden,
        RefusalKind::NotFound => ErrorKind::NotFound,
        RefusalKind::Conflict => ErrorKind::Conflict,
    };
    ApiError {
        kind,
        error: refusal.to_string(),
        help: Some(refusal.help().into_owned()),
    }
}

/// What a failure of the client means to whoever asked.
pub(in crate::agent) fn told(error: &ClientError) -> ApiError {
    let Some(refusal) = error.refusal() else {
        let causes = ApiError::internal(error);
        return ApiError::unavailable(causes.error).with_help(
            "check that a manager answers; traffic goes on meanwhile, and so do attachments within \
             this node's leases",
        );
    };
    let refused = match refusal.kind {
        service::ErrorKind::NotLeader | service::ErrorKind::Unavailable => {
            return refusals::no_leader();
        }
        service::ErrorKind::Malformed | service::ErrorKind::TooLarge => ErrorKind::BadRequest,
        service::ErrorKind::Unauthenticated | service::ErrorKind::Forbidden => ErrorKind::Forbidden,
        service::ErrorKind::NotFound => ErrorKind::NotFound,
        service::ErrorKind::Conflict => ErrorKind::Conflict,
        service::ErrorKind::TooSlow | service::ErrorKind::Internal => ErrorKind::Internal,
    };
    ApiError {
        kind: refused,
        error: refusal.error.clone(),
        help: refusal.help.clone(),
    }
}
