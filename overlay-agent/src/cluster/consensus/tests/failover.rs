//! Managers that die and come back.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use super::{
    cluster::{Cluster, address, id, write},
    table::{Table, set},
};
use crate::cluster::consensus::{Consensus, ProposeError, ReplicatedLog, Start, Timing};

#[tokio::test(start_paused = true)]
async fn one_manager_is_a_swarm() {
    let mut cluster = Cluster::of_one().await;
    let manager = cluster.managers[&1].clone();
    let mut applied = manager.applied();
    let before = *applied.borrow_and_update();

    let (first, reply) = manager.propose(set("a", 1)).await.unwrap();
    assert_eq!(reply, None);
    let (second, reply) = manager.propose(set("a", 2)).await.unwrap();

    assert_eq!(reply.as_deref(), Some("1"));
    assert!(before < first && first < second);
    assert_eq!(
        *applied
            .wait_for(|applied| *applied >= second)
            .await
            .unwrap(),
        second
    );
    let seen = manager.read(|table| table.rows["a"].clone()).await.unwrap();
    assert_eq!(seen, (second, "2".to_owned()));
    assert_eq!(manager.voters(), [(id(1), address(1))]);

    let state = manager.with_state(Clone::clone);
    cluster.stop(1).await;
    assert!(matches!(
        manager.propose(set("a", 3)).await,
        Err(ProposeError::Stopped)
    ));
    cluster.start(1, Start::Restart).await;
    let manager = cluster.managers[&1].clone();
    manager
        .read(|table| assert_eq!(*table, state))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_is_initialised_is_not_initialised_again() {
    let mut cluster = Cluster::of_one().await;
    cluster.stop(1).await;
    let disk = cluster.disks[&1].clone();
    let plug = cluster.switch.plug(id(1));

    let start = Start::Init { epoch: 1 };
    let refused = Consensus::<Table>::start_in(disk, start, cluster.options(1), plug).await;

    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("part of a swarm already"), "{refused}");
}

/// Numbers that were written, with the index of each.
type Acknowledged = Arc<Mutex<BTreeMap<u64, u64>>>;

async fn keep_writing(
    managers: Vec<Consensus<Table>>,
    stop: Arc<AtomicBool>,
    acknowledged: Acknowledged,
) {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let (index, _) = write(managers.iter(), set(number, number)).await;
        acknowledged.lock().unwrap().insert(number, index);
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn killing_the_leader_in_a_stream_of_writes_loses_none() {
    let mut cluster = Cluster::of_three().await;
    let (stop, acknowledged) = (Arc::<AtomicBool>::default(), Acknowledged::default());
    for _ in 0..2 {
        let managers = cluster.managers.values().cloned().collect();
        let writing = keep_writing(managers, Arc::clone(&stop), Arc::clone(&acknowledged));
        let ((), victim) = tokio::join!(writing, async {
            sleep(Duration::from_millis(300)).await;
            let (victim, _) = cluster.leader().await;
            let (died, before) = (Instant::now(), acknowledged.lock().unwrap().len());
            cluster.kill(victim).await;
            while acknowledged.lock().unwrap().len() < before + 5 {
                sleep(Duration::from_millis(10)).await;
            }
            let gap = died.elapsed();
            assert!(gap < Duration::from_secs(3), "{gap:?}");
            stop.store(true, Ordering::Relaxed);
            victim
        });
        stop.store(false, Ordering::Relaxed);
        cluster.start(victim, Start::Restart).await;
        let state = cluster.agreed().await;
        for (number, index) in &*acknowledged.lock().unwrap() {
            let (_, value) = &state.rows[&number.to_string()];
            assert_eq!(value, &number.to_string(), "written as {index}");
        }
        acknowledged.lock().unwrap().clear();
    }
}

#[tokio::test(start_paused = true)]
async fn killing_all_and_starting_them_again_restores_everything() {
    let mut cluster = Cluster::of_three().await;
    for number in 0..50 {
        cluster.write(number, number).await;
    }
    let before = cluster.agreed().await;
    for number in 1..=3 {
        cluster.kill(number).await;
    }
    for number in 1..=3 {
        cluster.start(number, Start::Restart).await;
    }

    let mut after = cluster.agreed().await;

    for table in [&mut after, &mut before.clone()] {
        table.rows.remove("agreed");
    }
    let mut before = before;
    before.rows.remove("agreed");
    assert_eq!(after.rows, before.rows);
    assert_eq!(after.obeyed, before.obeyed + 1);
    assert_eq!(cluster.managers[&2].voters().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_minority_refuses_writes_in_time_and_says_why() {
    let mut cluster = Cluster::of_three().await;
    let (old, minority) = cluster.leader().await;
    let others: Vec<_> = (1..=3).filter(|number| *number != old).map(id).collect();
    cluster.switch.split(&[id(old)], &others);
    let patience = Timing::default().request + Duration::from_millis(100);

    let refused = timeout(patience, minority.propose(set("lost", 1)))
        .await
        .unwrap();
    assert!(
        matches!(refused, Err(ProposeError::NoQuorum { unknown: true })),
        "{refused:?}"
    );
    let refused = timeout(patience, minority.propose(set("lost", 2)))
        .await
        .unwrap();
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, ProposeError::NoQuorum { unknown: false }),
        "{refused:?}"
    );
    assert!(
        refused
            .to_string()
            .starts_with("The swarm does not have a leader.")
    );
    let looked = timeout(patience, minority.read(|_| ())).await.unwrap();
    assert!(looked.is_err());
    assert_eq!(*minority.leader().borrow(), None);
    assert!(!minority.with_state(|table| table.rows.contains_key("lost")));

    cluster.managers.remove(&old);
    let (new, _) = cluster.leader().await;
    assert_ne!(new, old);
    cluster.write("kept", 1).await;
    cluster.switch.heal();
    cluster.managers.insert(old, minority);
    let state = cluster.agreed().await;
    assert!(state.rows.contains_key("kept") && !state.rows.contains_key("lost"));
}

#[tokio::test(start_paused = true)]
async fn a_follower_names_the_leader_and_a_lonely_one_none() {
    let mut cluster = Cluster::of_three().await;
    let (leader, _) = cluster.leader().await;
    let follower = if leader == 1 { 2 } else { 1 };
    let asked = cluster.managers[&follower].clone();

    let refused = asked.propose(set("a", 1)).await.unwrap_err();

    let named = Some((id(leader), address(leader)));
    assert!(matches!(refused, ProposeError::NotLeader { leader } if leader == named));
    for number in (1..=3).filter(|number| *number != follower) {
        cluster.kill(number).await;
    }
    let mut leader = asked.leader();
    let gone = leader.wait_for(Option::is_none);
    drop(
        timeout(Duration::from_secs(5), gone)
            .await
            .unwrap()
            .unwrap(),
    );
    let refused = asked.propose(set("a", 1)).await.unwrap_err();
    assert!(
        matches!(refused, ProposeError::NoQuorum { unknown: false }),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_swarm_of_one_is_forced_out_of_what_is_left() {
    let mut cluster = Cluster::of_three().await;
    for number in 0..20 {
        cluster.write(number, number).await;
    }
    let before = cluster.agreed().await;
    for number in 1..=3 {
        cluster.kill(number).await;
    }

    cluster.start(2, Start::ForceNewCluster { epoch: 78 }).await;

    let state = cluster.agreed().await;
    assert_eq!(state.obeyed, before.obeyed + 1);
    assert_eq!(cluster.managers[&2].voters(), [(id(2), address(2))]);
    // One of old, with the higher term of many elections, is no danger.
    cluster.start(3, Start::Restart).await;
    cluster.start(1, Start::Restart).await;
    sleep(Duration::from_secs(10)).await;
    let refused = cluster.managers[&2].read(|_| ()).await;
    refused.unwrap();
    assert_eq!(cluster.managers[&2].voters().len(), 1);
    cluster.stop(1).await;
    cluster.stop(3).await;
    cluster.join(4).await;
    cluster.agreed().await;
}
