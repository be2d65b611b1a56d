//! Handshakes in memory.

use std::{io, sync::Arc};

use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::{
    cluster::pki::{
        ClockError, Identity, LIFETIME, RootDigest, TrustBundle, peer_identity,
        testing::{DAY, NOW, World, clock, tls},
    },
    model::Role,
};

/// What each side thinks of the other after one byte in each direction.
struct Met {
    /// Nothing if the client presented no certificate.
    by_server: io::Result<Option<Identity>>,
    by_client: io::Result<()>,
}

async fn meet(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> Met {
    let (near, far) = tokio::io::duplex(1 << 16);
    let serve = async {
        let mut stream = TlsAcceptor::from(Arc::clone(server)).accept(near).await?;
        stream.read_u8().await?;
        stream.write_u8(1).await?;
        let chain = stream.get_ref().1.peer_certificates();
        Ok(chain.map(|chain| peer_identity(chain).unwrap()))
    };
    let ask = async {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connector = TlsConnector::from(Arc::clone(client));
        let mut stream = connector.connect(name, far).await?;
        stream.write_u8(1).await?;
        stream.read_u8().await?;
        Ok(())
    };
    let (by_server, by_client) = tokio::join!(serve, ask);
    Met {
        by_server,
        by_client,
    }
}

impl Met {
    fn accepted(self) -> Option<Identity> {
        self.by_client.unwrap();
        self.by_server.unwrap()
    }

    fn refused_by_client(self) -> PeerError {
        self.by_server.unwrap_err();
        peer_error(&self.by_client.unwrap_err()).unwrap()
    }
}

fn pinned(digest: RootDigest) -> Arc<ClientConfig> {
    first_contact(digest, clock()).unwrap()
}

#[tokio::test]
async fn both_sides_prove_themselves() {
    let mut world = World::new();
    let (manager, worker) = (world.node(Role::Manager), world.node(Role::Worker));
    let expected = worker.identity();

    let met = meet(tls(manager).server(), tls(worker).client()).await;

    assert_eq!(met.accepted(), Some(expected));
}

#[tokio::test]
async fn a_host_with_the_digest_of_the_root_is_served_without_a_certificate() {
    let mut world = World::new();
    let manager = tls(world.node(Role::Manager));

    let met = meet(manager.server(), &pinned(world.authority.digest())).await;

    assert_eq!(met.accepted(), None);
}

#[tokio::test]
async fn another_digest_is_refused_before_anything_is_sent() {
    let mut world = World::new();
    let other = World::new().authority.digest();
    let manager = tls(world.node(Role::Manager));

    let met = meet(manager.server(), &pinned(other)).await;

    let error = met.refused_by_client();
    let last = Some(world.authority.digest());
    assert_eq!(
        error,
        PeerError::OtherRoot {
            wanted: other,
            last
        }
    );
    assert!(error.to_string().contains("join-token"), "{error}");
}

/// Whoever knows a cluster's root can present it, but has no certificate from it.
#[tokio::test]
async fn presenting_a_foreign_root_does_not_help() {
    let world = World::new();
    let mut impostor = World::new();
    impostor.bundle = {
        let both = impostor.bundle.to_pem() + &world.bundle.to_pem();
        TrustBundle::from_pem(&both).unwrap()
    };
    let server = tls(impostor.node(Role::Manager));

    let met = meet(server.server(), &pinned(world.authority.digest())).await;

    assert_eq!(met.refused_by_client(), PeerError::Untrusted);
}

#[tokio::test]
async fn certificates_of_another_cluster_are_refused_by_both_sides() {
    let (mut here, mut there) = (World::new(), World::with_cluster(2));
    let (ours, theirs) = (
        tls(here.node(Role::Manager)),
        tls(there.node(Role::Manager)),
    );

    let met = meet(ours.server(), theirs.client()).await;
    assert_eq!(met.refused_by_client(), PeerError::Untrusted);

    let mut trusting = there.node(Role::Worker);
    let both = here.bundle.to_pem() + &there.bundle.to_pem();
    let both = TrustBundle::from_pem(&both).unwrap();
    trusting = trusting.with_bundle(both).unwrap();
    let met = meet(ours.server(), tls(trusting).client()).await;
    assert!(matches!(
        met.refused_by_client(),
        PeerError::OtherCluster { .. }
    ));

    // Same cluster identifier, another root: only the server is left to notice.
    let mut forged = World::new();
    let both = here.bundle.to_pem() + &forged.bundle.to_pem();
    let both = TrustBundle::from_pem(&both).unwrap();
    let forged = forged.node(Role::Manager).with_bundle(both).unwrap();
    let met = meet(ours.server(), tls(forged).client()).await;
    assert!(met.by_server.is_err() && met.by_client.is_err());
}

#[tokio::test]
async fn a_worker_cannot_pose_as_a_manager() {
    let mut world = World::new();
    let (worker, node) = (world.node(Role::Worker), tls(world.node(Role::Worker)));
    let expected = PeerError::NotAManager {
        node: worker.identity().node,
    };
    let worker = tls(worker);

    let met = meet(worker.server(), node.client()).await;
    assert_eq!(met.refused_by_client(), expected);
    let met = meet(worker.server(), &pinned(world.authority.digest())).await;
    assert_eq!(met.refused_by_client(), expected);
}

#[tokio::test]
async fn a_wrong_clock_is_told_with_both_times() {
    let mut world = World::new();
    let old = tls(world.node_since(Role::Manager, NOW - 100 * DAY, LIFETIME));
    let early = tls(world.node_since(Role::Manager, NOW + 3 * DAY, LIFETIME));
    let node = tls(world.node(Role::Worker));
    let digest = world.authority.digest();

    for client in [node.client(), &pinned(digest)] {
        let met = meet(old.server(), client).await;
        let expired = ClockError::Expired {
            not_after: NOW - 10 * DAY,
            now: NOW,
        };
        assert_eq!(met.refused_by_client(), PeerError::Clock(expired));

        let met = meet(early.server(), client).await;
        let not_yet = ClockError::NotYetValid {
            not_before: NOW + 3 * DAY - 3_600,
            now: NOW,
        };
        assert_eq!(met.refused_by_client(), PeerError::Clock(not_yet));
    }
}

/// The request is refused then, with words.
#[tokio::test]
async fn an_expired_client_gets_through_the_handshake_and_is_known_as_expired() {
    let mut world = World::new();
    let manager = tls(world.node(Role::Manager));
    let old = tls(world.node_since(Role::Worker, NOW - 100 * DAY, LIFETIME));

    let met = meet(manager.server(), old.client()).await;

    assert!(met.accepted().unwrap().check(NOW).is_err());
}

#[tokio::test]
async fn during_a_rotation_everybody_understands_everybody() {
    let mut world = World::new();
    let digest_before = world.authority.digest();
    let old_bundle = world.bundle.clone();
    let old = world.node(Role::Manager);
    let away = tls(world.node(Role::Worker));
    world.rotate();
    let told = tls(old.with_bundle(world.bundle.clone()).unwrap());
    let renewed = world.node(Role::Manager);
    let by_old = renewed.bundle().signer_of(&old.certificate());
    let by_new = renewed.bundle().signer_of(&renewed.certificate());
    assert_eq!(by_old, Some(digest_before));
    assert_eq!(by_new, Some(world.authority.digest()));
    let renewed = tls(renewed);

    let clients = [
        away.client(),
        told.client(),
        renewed.client(),
        &pinned(digest_before),
        &pinned(world.authority.digest()),
    ];
    for server in [&told, &renewed] {
        for client in clients {
            meet(server.server(), client).await.accepted();
        }
    }

    let first = world.authority.digest();
    world.rotate();
    let thrice = tls(world.node(Role::Manager));
    for client in clients {
        meet(thrice.server(), client).await.accepted();
    }

    world.end_rotation();
    let last = tls(world.node(Role::Manager));
    assert_eq!(world.bundle.roots().len(), 1);
    assert!(old.with_bundle(world.bundle.clone()).is_err());
    for client in [away.client(), &pinned(first)] {
        let met = meet(last.server(), client).await;
        assert!(met.by_client.is_err() && met.by_server.is_err());
    }
    assert_eq!(old_bundle.roots().len(), 1);
}
