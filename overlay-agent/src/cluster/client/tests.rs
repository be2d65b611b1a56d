//! The client against real managers on loopback.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::*;
use crate::{
    cluster::{
        pki::{
            JoinToken, LIFETIME, SecretKey,
            testing::{DAY, NOW, World, clock, tls},
            tls::PeerError,
        },
        service::{
            Counter, ErrorKind, Host, Limits,
            fake::{Cluster, FakeRequest},
            testing::{Door, fixed, node, short},
        },
    },
    model::Role,
};

fn quick() -> Timing {
    Timing {
        connect: Duration::from_secs(2),
        answer: Duration::from_secs(2),
        patience: Duration::from_secs(3),
        silence: Duration::from_millis(500),
        backoff: Backoff {
            first: Duration::from_millis(20),
            longest: Duration::from_millis(100),
        },
    }
}

/// Starts every round with the manager that is named first.
fn in_order() -> Jitter {
    Jitter::new(|| 0)
}

fn client(cluster: &Cluster, role: Role, managers: &[SocketAddr]) -> Client {
    let credentials = node(cluster, role);
    Client::new(fixed(credentials), managers.to_vec(), quick(), in_order())
}

fn lease() -> FakeRequest {
    FakeRequest::Lease("blue".to_owned())
}

fn id(number: u128) -> RequestId {
    RequestId::from_random(number)
}

fn host() -> Host {
    Host {
        hostname: "h1".to_owned(),
        data_path: "10.0.0.1".parse().unwrap(),
        gossip: "10.0.0.1:7946".parse().unwrap(),
        control: "10.0.0.1:2377".parse().unwrap(),
    }
}

async fn joins(token: &JoinToken, managers: &[SocketAddr]) -> Result<NewNode, ClientError> {
    let plan = Join {
        id: id(77),
        token: token.clone(),
        key: SecretKey::generate().unwrap(),
        host: host(),
    };
    join(plan, managers.to_vec(), clock(), quick(), in_order()).await
}

/// A port where nobody listens.
async fn nobody() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

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
    let both = crate::cluster::pki::TrustBundle::from_pem(&both).unwrap();
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

    let new = crate::cluster::pki::Credentials::new(key, &renewed.certificate, renewed.bundle);
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

/// The next change; what else happens is left out.
async fn change(watch: &mut Watch<String>) -> (u64, String) {
    let waiting = async {
        loop {
            if let Watched::Change(change) = watch.next().await {
                return (change.index, change.change);
            }
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    waited.unwrap()
}

#[tokio::test]
async fn a_watch_goes_on_where_it_was_when_its_manager_dies() {
    let cluster = Cluster::new();
    let first = Door::open(&cluster, short()).await;
    let second = Door::open(&cluster, short()).await;
    let client = client(&cluster, Role::Worker, &[first.address, second.address]);
    cluster.publish("one");
    let mut watch = client.watch(None);
    let connected = watch.next().await;
    assert!(matches!(connected, Watched::Connected { manager } if manager == first.address));
    assert_eq!(change(&mut watch).await, (1, "one".to_owned()));
    cluster.publish("two");
    cluster.publish("three");
    assert_eq!(change(&mut watch).await, (2, "two".to_owned()));

    drop(first);

    assert_eq!(change(&mut watch).await, (3, "three".to_owned()));
    cluster.publish("four");
    assert_eq!(change(&mut watch).await, (4, "four".to_owned()));
    assert_eq!(watch.index(), Some(4));
    assert_eq!(second.counters.get(Counter::Accepted), 1);
}

#[tokio::test]
async fn a_silent_manager_is_left() {
    let cluster = Cluster::new();
    let rare = Limits {
        heartbeat: Duration::from_secs(60),
        ..Limits::default()
    };
    let silent = Door::open(&cluster, rare).await;
    let second = Door::open(&cluster, short()).await;
    let client = client(&cluster, Role::Worker, &[silent.address, second.address]);
    let mut watch = client.watch::<String>(None);
    let connected = watch.next().await;
    assert!(matches!(connected, Watched::Connected { manager } if manager == silent.address));

    let Watched::Lost { error, .. } = watch.next().await else {
        panic!("it was not lost");
    };
    assert!(matches!(error, ClientError::Silent { .. }), "{error}");
    let connected = watch.next().await;
    assert!(matches!(connected, Watched::Connected { manager } if manager == second.address));
}

#[tokio::test]
async fn a_watcher_that_is_removed_is_told_why() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, short()).await;
    let credentials = node(&cluster, Role::Worker);
    let watcher = credentials.identity().node;
    let client = Client::new(fixed(credentials), vec![door.address], quick(), in_order());
    let mut watch = client.watch::<String>(None);
    watch.next().await;

    cluster.state().removed.insert(watcher);

    let mut errors = Vec::new();
    while errors.len() < 2 {
        if let Watched::Lost { error, .. } = watch.next().await {
            errors.push(error);
        }
    }
    assert!(
        matches!(errors[0], ClientError::Ended { .. }),
        "{}",
        errors[0]
    );
    assert!(
        errors[1].to_string().contains("removed from the swarm"),
        "{}",
        errors[1]
    );
}

/// A `next` that is dropped loses nothing, and is no reason to begin anew.
#[tokio::test]
async fn an_impatient_watcher_sees_every_change() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, short()).await;
    let client = client(&cluster, Role::Worker, &[door.address]);
    let mut watch = client.watch::<String>(None);
    for number in 0..50 {
        cluster.publish(&number.to_string());
    }

    let mut seen: Vec<u32> = Vec::new();
    while seen.len() < 50 {
        let impatience = Duration::from_micros(200);
        if let Ok(Watched::Change(change)) = tokio::time::timeout(impatience, watch.next()).await {
            seen.push(change.change.parse().unwrap());
        }
    }

    assert!(seen.into_iter().eq(0..50));
    assert_eq!(door.counters.get(Counter::Accepted), 1);
}

#[tokio::test]
async fn the_authority_changes_while_a_watch_is_open() {
    let cluster = Cluster::new();
    let door = Door::open(&cluster, short()).await;
    let credentials = node(&cluster, Role::Worker);
    let node_tls = watch::Sender::new(tls(credentials.clone()));
    let client = Client::new(
        node_tls.subscribe(),
        vec![door.address],
        quick(),
        in_order(),
    );
    let mut stream = client.watch(None);
    cluster.publish("before");
    assert_eq!(change(&mut stream).await.1, "before");
    let old_token = cluster.state().tokens.worker.clone();

    // The new root is there, and the manager has a certificate from it.
    let token = {
        let mut state = cluster.state();
        state.world.rotate();
        let digest = state.world.authority.digest();
        state.tokens.worker = state.tokens.worker.with_digest(digest);
        state.tokens.worker.clone()
    };
    door.tls.send_replace(tls(node(&cluster, Role::Manager)));
    cluster.publish("during");
    assert_eq!(change(&mut stream).await.1, "during");

    // The node has heard of nothing yet, and renews.
    let key = SecretKey::generate().unwrap();
    let renewed = client.renew(key.request().unwrap()).await.unwrap();
    let renewed =
        crate::cluster::pki::Credentials::new(key, &renewed.certificate, renewed.bundle).unwrap();
    joins(&token, &[door.address]).await.unwrap();
    assert!(joins(&old_token, &[door.address]).await.is_err());

    // All have new certificates: the old root goes.
    cluster.state().world.end_rotation();
    let bundle = cluster.state().world.bundle.clone();
    node_tls.send_replace(tls(renewed.with_bundle(bundle).unwrap()));
    door.tls.send_replace(tls(node(&cluster, Role::Manager)));
    cluster.publish("after");
    assert_eq!(change(&mut stream).await.1, "after");
    let _reply: String = client.request(id(1), &lease()).await.unwrap();
    let old = Client::new(fixed(credentials), vec![door.address], quick(), in_order());
    assert!(old.request::<_, String>(id(2), &lease()).await.is_err());
    assert_eq!(cluster.state().done.len(), 1);
}

#[tokio::test]
async fn rounds_begin_at_random_managers() {
    let cluster = Cluster::new();
    let mut doors = Vec::new();
    for _door in 0..3 {
        doors.push(Door::open(&cluster, short()).await);
    }
    let managers: Vec<_> = doors.iter().map(|door| door.address).collect();
    let next = Arc::new(AtomicU32::new(0));
    for _node in 0..3 {
        let next = Arc::clone(&next);
        let jitter = Jitter::new(move || next.fetch_add(1, Ordering::Relaxed));
        let credentials = node(&cluster, Role::Worker);
        let client = Client::new(fixed(credentials), managers.clone(), quick(), jitter);
        let mut watch = client.watch::<String>(None);
        watch.next().await;
    }

    for door in &doors {
        assert_eq!(door.counters.get(Counter::Accepted), 1);
    }
}
