//! Managers that come and go.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    cluster::{Cluster, address, id},
    table::set,
};
use crate::cluster::consensus::{
    Call, Compaction, MembershipError, ProposeError, ReceiveError, ReplicatedLog,
};

#[tokio::test(start_paused = true)]
async fn from_one_to_three_to_one() {
    let mut cluster = Cluster::of_one().await;
    cluster.write("a", 1).await;
    cluster.join(2).await;
    cluster.join(3).await;
    cluster.write("b", 2).await;
    cluster.agreed().await;
    for number in 1..=3 {
        let expected: Vec<_> = (1..=3)
            .map(|number| (id(number), address(number)))
            .collect();
        assert_eq!(cluster.managers[&number].voters(), expected);
    }

    // The leader takes itself out, then its successor the third.
    let (first, leader) = cluster.leader().await;
    leader.remove_voter(id(first)).await.unwrap();
    cluster.stop(first).await;
    let (second, leader) = cluster.leader().await;
    let third = 6 - first - second;
    leader.remove_voter(id(third)).await.unwrap();
    cluster.stop(third).await;

    cluster.write("c", 3).await;
    let state = cluster.agreed().await;
    assert!(
        ["a", "b", "c"]
            .iter()
            .all(|name| state.rows.contains_key(*name))
    );
    assert_eq!(
        cluster.managers[&second].voters(),
        [(id(second), address(second))]
    );
    let refused = cluster.managers[&second].remove_voter(id(second)).await;
    assert!(
        matches!(refused, Err(MembershipError::LastVoter { .. })),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn adding_or_removing_twice_is_no_error() {
    let cluster = Cluster::of_three().await;
    let (_, leader) = cluster.leader().await;

    leader.add_voter(id(2), address(2)).await.unwrap();
    leader.remove_voter(id(9)).await.unwrap();

    assert_eq!(leader.voters().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_is_not_reached_is_taken_out_again() {
    let cluster = Cluster::of_one().await;
    let leader = cluster.managers[&1].clone();

    let refused = leader.add_voter(id(9), address(9)).await.unwrap_err();

    let expected = format!("manager {} at 10.0.0.9:2377 could not be reached", id(9));
    assert!(refused.to_string().starts_with(&expected), "{refused}");
    assert_eq!(leader.voters().len(), 1);
    cluster.write("a", 1).await;
}

#[tokio::test(start_paused = true)]
async fn only_the_leader_changes_the_voters() {
    let cluster = Cluster::of_three().await;
    let (leader, _) = cluster.leader().await;
    let follower = if leader == 1 { 2 } else { 1 };

    let refused = cluster.managers[&follower].remove_voter(id(3)).await;

    assert!(matches!(
        refused,
        Err(MembershipError::Propose(ProposeError::NotLeader { leader: Some((named, _)) }))
            if named == id(leader)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_new_voter_catches_up_by_snapshot_when_the_log_is_cut() {
    let mut cluster = Cluster::compacted(Compaction { every: 40, keep: 5 }).await;
    for number in 0..200 {
        cluster.write(number % 50, number).await;
    }
    assert_eq!(cluster.switch.sent(Call::Snapshot), 0);

    cluster.join(2).await;

    assert!(cluster.switch.sent(Call::Snapshot) > 0);
    let state = cluster.agreed().await;
    assert_eq!(state.obeyed, 201);
    // What came as a snapshot is there after a restart.
    cluster.kill(2).await;
    cluster
        .start(2, crate::cluster::consensus::Start::Restart)
        .await;
    assert!(cluster.managers[&2].with_state(|table| table.obeyed) >= 190);
    cluster.agreed().await;
}

#[tokio::test(start_paused = true)]
async fn messages_that_lie_or_are_garbage_change_nothing() {
    let cluster = Cluster::of_three().await;
    let (number, leader) = cluster.leader().await;
    let vote = openraft::Vote::new(1_000_000, id(9).into());
    let ballot: crate::cluster::consensus::message::BallotRequest =
        openraft::raft::VoteRequest::new(vote, None);
    let message = |epoch| crate::cluster::consensus::message::encode(epoch, &ballot).unwrap();

    let lie = leader.receive(id(3), Call::Vote, &message(77)).await;
    assert!(matches!(lie, Err(ReceiveError::Impostor)), "{lie:?}");
    let foreign = leader.receive(id(9), Call::Vote, &message(76)).await;
    assert!(
        matches!(foreign, Err(ReceiveError::OtherCluster)),
        "{foreign:?}"
    );
    for call in Call::ALL {
        for garbage in [&b""[..], b"GET / HTTP/1.1", &[1; 300]] {
            let refused = leader.receive(id(3), call, garbage).await;
            assert!(refused.is_err(), "{refused:?}");
        }
    }

    sleep(Duration::from_secs(3)).await;
    assert_eq!(cluster.leader().await.0, number);
    leader.propose(set("a", 1)).await.unwrap();
}
