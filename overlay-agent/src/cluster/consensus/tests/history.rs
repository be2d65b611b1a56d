//! Random splits and kills: what clients see must have an order.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use proptest::prelude::*;
use tokio::{
    runtime::Builder,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    cluster::{Cluster, id},
    table::{Table, set},
};
use crate::cluster::consensus::{Consensus, ReplicatedLog};

/// What a client saw of the one value: it asked at one tick, was answered at another.
#[derive(Clone, Debug)]
struct Seen {
    asked: u64,
    answered: u64,
    /// Of the write that it made or whose value it read; zero if there was none.
    index: u64,
    value: Option<u64>,
    wrote: bool,
}

#[derive(Clone, Debug)]
enum Fault {
    Cut(u64),
    Split,
    Heal,
    Slow(u32),
}

fn fault() -> impl Strategy<Value = (Fault, u64)> {
    let fault = prop_oneof![
        2 => (1_u64..=3).prop_map(Fault::Cut),
        1 => Just(Fault::Split),
        2 => Just(Fault::Heal),
        1 => (0_u32..30).prop_map(Fault::Slow),
    ];
    (fault, 100_u64..2000)
}

#[derive(Clone, Default)]
struct Notes {
    clock: Arc<AtomicU64>,
    values: Arc<AtomicU64>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

async fn client(manager: Consensus<Table>, notes: Notes) {
    loop {
        let value = notes.values.fetch_add(1, Ordering::SeqCst);
        let wrote = value.is_multiple_of(2);
        let asked = notes.clock.fetch_add(1, Ordering::SeqCst);
        let found = if wrote {
            let written = manager.propose(set("x", value)).await.ok();
            written.map(|(index, _)| (index, Some(value)))
        } else {
            let look = |table: &Table| match table.rows.get("x") {
                Some((index, value)) => (*index, value.parse().ok()),
                None => (0, None),
            };
            manager.read(look).await.ok()
        };
        let answered = notes.clock.fetch_add(1, Ordering::SeqCst);
        if let Some((index, value)) = found {
            notes.seen.lock().unwrap().push(Seen {
                asked,
                answered,
                index,
                value,
                wrote,
            });
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// The log gives the order of writes; every answer must fit in it.
fn in_order(seen: &[Seen]) -> Result<(), TestCaseError> {
    for one in seen {
        for other in seen {
            if one.index == other.index {
                prop_assert_eq!(one.value, other.value);
            }
            if one.answered < other.asked {
                if other.wrote {
                    prop_assert!(one.index < other.index, "{:?} after {:?}", other, one);
                } else {
                    prop_assert!(one.index <= other.index, "{:?} after {:?}", other, one);
                }
            }
        }
    }
    Ok(())
}

async fn run(faults: Vec<(Fault, u64)>, random: u64) -> Vec<Seen> {
    let cluster = Cluster::of_three().await;
    let notes = Notes::default();
    let mut clients = JoinSet::new();
    for manager in cluster.managers.values() {
        clients.spawn(client(manager.clone(), notes.clone()));
    }
    for (fault, milliseconds) in faults {
        match fault {
            Fault::Cut(one) => {
                let others: Vec<_> = (1..=3).filter(|other| *other != one).map(id).collect();
                cluster.switch.heal();
                cluster.switch.split(&[id(one)], &others);
            }
            Fault::Split => {
                cluster.switch.split(&[id(1)], &[id(2), id(3)]);
                cluster.switch.split(&[id(2)], &[id(3)]);
            }
            Fault::Heal => cluster.switch.heal(),
            Fault::Slow(loss) => cluster
                .switch
                .disturb(Duration::from_millis(40), loss, random),
        }
        sleep(Duration::from_millis(milliseconds)).await;
    }
    cluster.switch.heal();
    cluster.switch.disturb(Duration::ZERO, 0, random);
    let before = notes.seen.lock().unwrap().len();
    let recovered = async {
        while notes.seen.lock().unwrap().len() < before + 20 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_mins(1), recovered)
        .await
        .expect("the managers did not recover");
    clients.shutdown().await;
    cluster.agreed().await;
    for manager in cluster.managers.values() {
        manager.shutdown().await;
    }
    notes.seen.lock().unwrap().clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_clients_see_has_one_order(
        faults in prop::collection::vec(fault(), 3..6),
        seed in any::<u64>(),
    ) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();

        let seen = runtime.block_on(run(faults, seed));

        prop_assert!(seen.len() >= 20);
        in_order(&seen)?;
    }
}
