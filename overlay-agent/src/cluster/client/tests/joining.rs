//! From host to node.

use super::{id, in_order, joins, lease, nobody, quick};
use crate::{
    cluster::{
        client::{Client, ClientError},
        pki::{JoinToken, testing::World, tls::PeerError},
        service::{
            Counter, ErrorKind, Limits,
            fake::Cluster,
            testing::{Door, fixed},
        },
    },
    model::Role,
};

#[tokio::test]
async fn a_host_joins_through_any_manager_and_then_asks_as_a_node() {
    let cluster = Cluster::new();
    let leader = Door::open(&cluster, Limits::default()).await;
    let other = Door::open(&cluster, Limits::default()).await;
    let token = cluster.state().tokens.worker.clone();

    let new = joins(&token, &[nobody().await, other.address])
        .await
        .unwrap();

    assert_eq!(new.credentials.identity().role, Role::Worker);
    assert_eq!(new.managers, [leader.address, other.address]);
    assert_eq!(leader.counters.get(Counter::Joined), 1);
    let client = Client::new(fixed(new.credentials), new.managers, quick(), in_order());
    let reply: String = client.request(id(1), &lease()).await.unwrap();
    assert_eq!(reply, r#"worker did Lease("blue")"#);
}

#[tokio::test]
async fn a_wrong_token_is_refused_once_and_for_all() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let digest = cluster.state().world.authority.digest();

    let error = joins(
        &JoinToken::from_random(digest, 5),
        &[door.address, door.address],
    )
    .await
    .unwrap_err();

    assert_eq!(error.refusal().unwrap().kind, ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("join-token"), "{error}");
    assert_eq!(door.counters.get(Counter::TokenRefused), 1);
}

#[tokio::test]
async fn a_token_goes_to_nobody_but_its_own_cluster() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let token = JoinToken::from_random(World::new().authority.digest(), 11);

    let error = joins(&token, &[door.address]).await.unwrap_err();

    let ClientError::Untrusted { source, .. } = &error else {
        panic!("{error}");
    };
    assert!(matches!(source, PeerError::OtherRoot { .. }), "{source}");
    door.counted(Counter::HandshakeFailed, 1).await;
    assert_eq!(door.counters.get(Counter::TokenRefused), 0);
}
