//! Requests, whoever leads.

use std::time::Duration;

use bytes::Bytes;

use super::{client, id, in_order, lease, nobody, quick};
use crate::{
    cluster::{
        client::{Client, ClientError},
        pki::{
            Credentials, LIFETIME, SecretKey, TrustBundle,
            testing::{DAY, NOW, World, tls},
            tls::PeerError,
        },
        service::{
            Counter, Limits, RaftCall,
            fake::{Cluster, FakeRequest},
            testing::{Door, fixed, node, short},
        },
    },
    model::Role,
};

#[tokio::test]
async fn the_leader_is_found_and_remembered() {
    let cluster = Cluster::new();
    let first = Door::open(&cluster, Limits::default()).await;
    let second = Door::open(&cluster, Limits::default()).await;
    cluster.state().leader = Some(second.address);
    let client = client(&cluster, Role::Worker, &[first.address, second.address]);

    for number in 0..5 {
        let _reply: String = client.request(id(number), &lease()).await.unwrap();
    }

    assert_eq!(first.counters.get(Counter::Accepted), 1);
    assert_eq!(
        second.counters.get(Counter::Accepted),
        1,
        "one connection for all"
    );
    assert_eq!(cluster.state().done.len(), 5);
}

#[tokio::test]
async fn a_request_waits_for_an_election_and_is_done_once() {
    let cluster = Cluster::new();
    let doors = [
        Door::open(&cluster, Limits::default()).await,
        Door::open(&cluster, Limits::default()).await,
    ];
    cluster.state().leader = Some(nobody().await);
    let client = client(
        &cluster,
        Role::Worker,
        &doors.each_ref().map(|door| door.address),
    );
    let electing = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cluster.state().leader = Some(doors[1].address);
    };

    let request = lease();
    let (reply, ()) = tokio::join!(client.request::<_, String>(id(1), &request), electing);
    let again: String = client.request(id(1), &request).await.unwrap();

    assert_eq!(reply.unwrap(), again);
    assert_eq!(cluster.state().done.len(), 1);
}

#[tokio::test]
async fn when_a_manager_is_gone_the_next_one_is_asked() {
    let cluster = Cluster::new();
    let first = Door::open(&cluster, Limits::default()).await;
    let second = Door::open(&cluster, Limits::default()).await;
    let client = client(&cluster, Role::Worker, &[first.address, second.address]);
    let _reply: String = client.request(id(1), &lease()).await.unwrap();

    drop(first);
    cluster.state().leader = Some(second.address);
    let _reply: String = client.request(id(2), &lease()).await.unwrap();

    drop(second);
    let error = client
        .request::<_, String>(id(3), &lease())
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::All { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    client.set_managers(Vec::new());
    let error = client
        .request::<_, String>(id(3), &lease())
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::NoManager), "{error}");
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, short()).await;
    let client = client(&cluster, Role::Worker, &[door.address]);
    let _reply: String = client.request(id(1), &lease()).await.unwrap();

    tokio::time::sleep(Duration::from_millis(600)).await;
    let _reply: String = client.request(id(2), &lease()).await.unwrap();

    assert_eq!(door.counters.get(Counter::Accepted), 2);
    assert_eq!(
        door.counters.get(Counter::TooSlow),
        0,
        "to rest is no incident"
    );
    assert_eq!(cluster.state().done.len(), 2);
}

#[tokio::test]
async fn refusals_come_with_their_words() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let worker = client(&cluster, Role::Worker, &[door.address]);
    let request = FakeRequest::CreateNetwork("red".to_owned());

    let error = worker
        .request::<_, String>(id(1), &request)
        .await
        .unwrap_err();

    assert!(
        error
            .to_string()
            .starts_with("This node is not a swarm manager."),
        "{error}"
    );
    assert_eq!(door.counters.get(Counter::Accepted), 1);
    let expired = cluster
        .state()
        .world
        .node_since(Role::Worker, NOW - 100 * DAY, LIFETIME);
    let expired = Client::new(fixed(expired), vec![door.address], quick(), in_order());
    let error = expired
        .request::<_, String>(id(1), &lease())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("here it is Nov 22"), "{error}");
}

#[tokio::test]
async fn managers_of_other_clusters_and_with_wrong_clocks_are_named() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let foreign = World::with_cluster(2).node(Role::Worker);
    let foreign = Client::new(fixed(foreign), vec![door.address], quick(), in_order());

    let error = foreign
        .request::<_, String>(id(1), &lease())
        .await
        .unwrap_err();
    let ClientError::Untrusted { source, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(source, PeerError::Untrusted);

    let old = cluster
        .state()
        .world
        .node_since(Role::Manager, NOW - 100 * DAY, LIFETIME);
    door.tls.send_replace(tls(old));
    let client = client(&cluster, Role::Worker, &[door.address]);
    let error = client
        .request::<_, String>(id(1), &lease())
        .await
        .unwrap_err();
    let ClientError::Untrusted { source, .. } = error else {
        panic!("{error}");
    };
    assert!(source.to_string().contains("until Nov 12"), "{source}");

    let mut forged = World::new();
    let both = forged.bundle.to_pem() + &cluster.state().world.bundle.to_pem();
    let both = TrustBundle::from_pem(&both).unwrap();
    let forged = forged.node(Role::Worker).with_bundle(both).unwrap();
    door.tls.send_replace(tls(node(&cluster, Role::Manager)));
    let forged = Client::new(fixed(forged), vec![door.address], quick(), in_order());
    let error = forged
        .request::<_, String>(id(1), &lease())
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::TurnedAway { .. }), "{error:?}");
}

#[tokio::test]
async fn a_renewed_certificate_has_the_role_of_now() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let credentials = node(&cluster, Role::Worker);
    cluster
        .state()
        .roles
        .insert(credentials.identity().node, Role::Manager);
    let client = Client::new(
        fixed(credentials.clone()),
        vec![door.address],
        quick(),
        in_order(),
    );
    let key = SecretKey::generate().unwrap();

    let renewed = client.renew(key.request().unwrap()).await.unwrap();

    let new = Credentials::new(key, &renewed.certificate, renewed.bundle);
    let identity = new.unwrap().identity();
    assert_eq!(identity.role, Role::Manager);
    assert_eq!(identity.node, credentials.identity().node);
    assert_eq!(door.counters.get(Counter::Renewed), 1);
}

#[tokio::test]
async fn managers_call_each_other() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, Limits::default()).await;
    let manager = client(&cluster, Role::Manager, &[]);
    let calls = (0..8u8).map(async |number| {
        let body = Bytes::from(vec![number; 1 << 20]);
        let second = Duration::from_secs(5);
        let answer = manager.raft(door.address, RaftCall::Append, body.clone(), second);
        assert!(answer.await.unwrap().ends_with(&body));
    });

    futures_util::future::join_all(calls).await;

    assert_eq!(door.counters.get(Counter::Accepted), 8);
    let gone = nobody().await;
    let refused = manager.raft(gone, RaftCall::Vote, Bytes::new(), Duration::from_secs(1));
    assert!(matches!(refused.await, Err(ClientError::Connect { .. })));
}
