//! A new cluster: its authority, its first node, and what its log begins with.

use super::{Manager, TrustError, random_bits, trust};
use crate::{
    cluster::{
        pki::{Authority, Credentials, CredentialsError, JoinToken, KeyError, LIFETIME, SecretKey},
        service::{Host, ServiceError},
        state::{Change, Init, Join, Pool, Secret, Trust},
    },
    model::{ClusterId, NetworkId, NodeId, Role},
};

/// What a cluster is to be.
#[derive(Clone, Debug)]
pub struct NewCluster {
    /// Its first node.
    pub host: Host,
    /// Where networks without a subnet get theirs; a family with none gets its default.
    pub pools: Vec<Pool>,
    /// UDP port of VXLAN.
    pub data_path_port: u16,
}

/// A cluster before its first log entry.
#[derive(Debug)]
pub struct Beginning {
    /// Who the first node is.
    pub credentials: Credentials,
    /// What the log begins with.
    changes: Vec<Change>,
}

/// A cluster could not be begun; nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// Its authority.
    #[error("could not make the cluster's certificate authority")]
    Trust(#[from] TrustError),
    /// The first node's key.
    #[error("could not make the node's key")]
    Key(#[from] KeyError),
    /// The first node's certificate.
    #[error("could not use the node's certificate")]
    Credentials(#[from] CredentialsError),
}

/// Draws all that is random of a new cluster. `now` is in seconds since 1970.
pub fn begin(wish: NewCluster, now: u64) -> Result<Beginning, BeginError> {
    let cluster = ClusterId::from_random(random_bits());
    let node = NodeId::from_random(random_bits());
    let authority = Authority::create(cluster, now).map_err(TrustError::from)?;
    let key = SecretKey::generate()?;
    let certificate = authority
        .issue(&key.request()?, node, Role::Manager, now, LIFETIME)
        .map_err(TrustError::from)?;
    let credentials = Credentials::new(key, &certificate, authority.bundle())?;
    let token = || {
        let token = JoinToken::from_random(authority.digest(), random_bits());
        Secret::new(token.reveal().to_string())
    };
    let kept = trust::kept(&authority);
    let name = kept.name.clone();
    let init = Init {
        cluster,
        pools: wish.pools,
        data_path_port: wish.data_path_port,
        authority: kept,
        worker_token: token(),
        manager_token: token(),
        gossip_secret: Secret::new(rand::random()),
        ingress: Some(NetworkId::from_random(random_bits())),
    };
    let host = wish.host;
    let join = Join {
        node,
        hostname: host.hostname,
        role: Role::Manager,
        data_path: host.data_path,
        gossip: host.gossip,
        control: host.control,
        down: std::collections::BTreeSet::new(),
        availability: host.availability,
    };
    let report = Change::ReportCertificate {
        node,
        authority: name,
    };
    Ok(Beginning {
        credentials,
        changes: vec![
            Change::Init(Box::new(init)),
            Change::Join(Box::new(join)),
            report,
        ],
    })
}

impl Manager {
    /// Writes the first entries of a cluster's log.
    pub async fn found(&self, beginning: &Beginning) -> Result<(), ServiceError> {
        for change in &beginning.changes {
            self.propose(random_bits(), change.clone()).await?;
        }
        Ok(())
    }
}

/// The change with which certificates get another authority, and the authority's name. `trust` is what the
/// state knows so far, `now` is in seconds since 1970.
pub(super) fn next_authority(trust: &Trust, now: u64) -> Result<(Change, String), TrustError> {
    let rotation = trust::signer(trust)?.rotate(&trust::bundle(trust)?, now)?;
    let next = trust::kept(&rotation.authority);
    let name = next.name.clone();
    let bundle = rotation.bundle.to_pem();
    Ok((Change::StartAuthorityRotation { next, bundle }, name))
}

/// The change that makes a role's join token worthless, and the token that takes its place. `present` is
/// any token of the swarm.
pub fn rotated_token(role: Role, present: &JoinToken) -> (Change, JoinToken) {
    let token = JoinToken::from_random(present.digest(), random_bits());
    let secret = Secret::new(token.reveal().to_string());
    (Change::RotateToken { role, secret }, token)
}
