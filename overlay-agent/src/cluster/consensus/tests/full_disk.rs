//! Disks with no room left.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{cluster::Cluster, table::set};
use crate::cluster::consensus::{ProposeError, ReplicatedLog, StoreError};

/// Writes until one is refused; returns how many were not.
async fn fill(cluster: &Cluster, number: u64) -> (usize, ProposeError) {
    let manager = &cluster.managers[&number];
    for count in 0.. {
        let written = manager.propose(set(count, "x".repeat(5000))).await;
        if let Err(error) = written {
            return (count, error);
        }
    }
    unreachable!()
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_refuses_writes_until_there_is_room() {
    let cluster = Cluster::of_one().await;
    let manager = cluster.managers[&1].clone();
    cluster.disks[&1].set_full(true);

    let (count, error) = fill(&cluster, 1).await;

    let ProposeError::Storage(fault @ StoreError::Full { .. }) = &error else {
        panic!("{error:?}");
    };
    assert!(
        fault
            .to_string()
            .starts_with("no space left for managers.redb: free some")
    );
    assert!(manager.with_state(|table| table.rows.len()) >= count);
    sleep(Duration::from_secs(20)).await;
    let error = manager.propose(set("a", 1)).await.unwrap_err();
    assert!(
        matches!(error, ProposeError::Storage(StoreError::Full { .. })),
        "{error:?}"
    );
    assert!(manager.fault().is_some());

    cluster.disks[&1].set_full(false);
    let mut leader = manager.leader();
    let back = leader.wait_for(Option::is_some);
    drop(
        timeout(Duration::from_secs(5), back)
            .await
            .unwrap()
            .unwrap(),
    );

    manager.propose(set("a", 1)).await.unwrap();
    assert_eq!(manager.fault().map(|fault| fault.to_string()), None);
    let rows = manager.read(|table| table.rows.len()).await.unwrap();
    assert!(rows > count, "{rows} of {count}");
    let refused = manager.read(move |table| table.rows.contains_key(&count.to_string()));
    assert!(!refused.await.unwrap(), "a refused write was made");
}

#[tokio::test(start_paused = true)]
async fn a_leader_with_a_full_disk_is_replaced() {
    let cluster = Cluster::of_three().await;
    let (full, leader) = cluster.leader().await;
    cluster.disks[&full].set_full(true);
    let (_, error) = fill(&cluster, full).await;
    assert!(!matches!(error, ProposeError::Unwritable { .. }));

    let written = cluster.write("a", 1).await;

    assert!(written > 0);
    cluster.disks[&full].set_full(false);
    let state = cluster.agreed().await;
    assert_eq!(leader.with_state(Clone::clone), state);
}
