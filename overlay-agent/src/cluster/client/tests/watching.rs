//! Streams of changes that outlive their managers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::{client, id, in_order, joins, lease, quick};
use crate::{
    cluster::{
        client::{Client, ClientError, Jitter, Watch, Watched},
        pki::{Credentials, SecretKey, testing::tls},
        service::{
            Counter, Limits,
            fake::Cluster,
            testing::{Door, fixed, node, short},
        },
    },
    model::Role,
};

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
    assert_eq!(client.heard(), None, "it has said nothing yet");
    assert_eq!(change(&mut watch).await, (1, "one".to_owned()));
    assert!(client.heard() > Some(1_700_000_000));
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
        heartbeat: Duration::from_mins(1),
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
    let renewed = Credentials::new(key, &renewed.certificate, renewed.bundle).unwrap();
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
