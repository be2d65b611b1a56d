use super::*;

#[tokio::test]
async fn five_nodes_agree() {
    let nodes = cluster(5).await;
    for one in &nodes {
        one.handle.attend(vni()).await.unwrap();
    }

    for (last, one) in (1..).zip(&nodes) {
        one.handle.claim(claim(last, 1)).await.unwrap();
    }

    for one in &nodes {
        for (last, other) in (1..).zip(&nodes) {
            let expected = (one.id != other.id).then_some(other.id);
            one.sees(last, expected).await;
        }
    }
    assert!(nodes[0].handle.withdraw(vni(), address(1)).await.unwrap());
    for one in &nodes[1..] {
        one.sees(1, None).await;
    }
    all_up(&nodes).await;
    for one in &nodes {
        let attendees = one.handle.attendees(vni()).await.unwrap();
        assert_eq!(attendees, (1..=5).map(node).collect());
        let counters = one.handle.counters();
        assert_eq!(counters.datagrams.unsent, 0, "{counters:?}");
        assert_eq!(counters.core.malformed, 0, "{counters:?}");
    }
}

#[tokio::test]
async fn a_visit_ends_no_stay_and_no_other_visit() {
    let nodes = cluster(2).await;
    let (guest, host) = (&nodes[0], &nodes[1]);
    host.handle.claim(claim(1, 1)).await.unwrap();
    let is_there = async || {
        let attendees = guest.handle.attendees(vni()).await.unwrap();
        attendees.contains(&guest.id)
    };

    let first = guest.handle.visit(vni()).await.unwrap();
    let second = guest.handle.visit(vni()).await.unwrap();
    assert!(first.is_new() && !second.is_new());
    guest.sees(1, Some(host.id)).await;
    drop(first);
    assert!(is_there().await, "the second goes on");
    drop(second);
    assert!(!is_there().await, "nothing holds it there");

    guest.handle.attend(vni()).await.unwrap();
    let visit = guest.handle.visit(vni()).await.unwrap();
    assert!(!visit.is_new());
    drop(visit);
    assert!(is_there().await, "it stays");
    let visit = guest.handle.visit(vni()).await.unwrap();
    guest.handle.leave_network(vni()).await.unwrap();
    assert!(is_there().await, "the visit goes on");
    drop(visit);
    assert!(!is_there().await);
}

#[tokio::test]
async fn updates_tell_what_is_new_and_what_is_gone() {
    let mut nodes = cluster(2).await;
    nodes[1].handle.attend(vni()).await.unwrap();
    all_up(&nodes).await;

    nodes[0].handle.claim(claim(1, 1)).await.unwrap();
    let id = nodes[0].id;
    assert_eq!(next_owner(&mut nodes[1], 1).await, Some(id));
    nodes[0].handle.withdraw(vni(), address(1)).await.unwrap();
    assert_eq!(next_owner(&mut nodes[1], 1).await, None);
}

async fn next_owner(node: &mut Running, last: u32) -> Option<NodeId> {
    loop {
        let update = timeout(PATIENCE, node.updates.recv()).await.unwrap();
        if let Some(Update::Changed(changes)) = update
            && let Some(claim) = changes.claims.get(&(vni(), address(last)))
        {
            return claim.as_ref().map(|(owner, _)| *owner);
        }
    }
}

#[tokio::test]
async fn of_two_claims_the_loser_is_told() {
    let mut nodes = cluster(2).await;
    for (index, one) in (1..).zip(&nodes) {
        one.handle.claim(claim(7, index)).await.unwrap();
    }

    nodes[0].sees(7, Some(node(2))).await;
    nodes[1].sees(7, None).await;
    loop {
        let update = timeout(PATIENCE, nodes[0].updates.recv()).await.unwrap();
        match update.unwrap() {
            Update::Changed(_) => {}
            Update::Lost {
                claim: lost,
                winner,
                index,
            } => {
                assert_eq!((lost, winner, index), (claim(7, 1), node(2), 2));
                break;
            }
        }
    }
    assert_eq!(nodes[0].handle.counters().core.lost_claims, 1);
}

#[tokio::test]
async fn keys_change_while_events_flow_and_none_is_lost() {
    let nodes = cluster(3).await;
    for one in &nodes {
        one.handle.attend(vni()).await.unwrap();
    }
    all_up(&nodes).await;
    let rings = [
        ring(1, &[1, 2]),
        ring(2, &[1, 2]),
        ring(2, &[2]),
        ring(2, &[2, 3]),
        ring(3, &[3]),
    ];

    let mut last = 0;
    for ring in &rings {
        for one in &nodes {
            last += 1;
            nodes[0].handle.claim(claim(last, 1)).await.unwrap();
            one.handle.set_keys(ring.clone()).await.unwrap();
        }
    }

    for one in &nodes[1..] {
        for last in 1..=last {
            one.sees(last, Some(node(1))).await;
        }
    }
}

#[tokio::test]
async fn large_tables_come_over_streams() {
    const CLAIMS: u32 = 20_000;
    // Datagrams would bring a part of it, in answer to questions.
    let unasking = |number| GossipSettings {
        pace: Pace {
            probe: PATIENCE * 10,
            repair: PATIENCE * 10,
            exchange: Duration::from_secs(1),
            ..Pace::default()
        },
        ..settings(number)
    };
    let whole = Known {
        claims: (1..=CLAIMS).map(|last| claim(last, 1)).collect(),
        ..known()
    };
    let nodes = [
        run_as(unasking(1), whole).await,
        run_as(unasking(2), known()).await,
    ];
    nodes[1].handle.attend(vni()).await.unwrap();

    acquaint(&nodes).await;

    let arrived = async {
        while nodes[1].handle.observed().await.unwrap().claims.len() < CLAIMS as usize {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let arrived = timeout(PATIENCE, arrived).await.is_ok();
    let counters = nodes[1].handle.counters();
    assert!(arrived, "{counters:?}");
    assert!(counters.streams.received_bytes > 300_000, "{counters:?}");
}

#[tokio::test]
async fn nodes_on_ipv6_agree() {
    let listen = "[::1]:0".parse().unwrap();
    let mut nodes = Vec::new();
    for number in 1..=3 {
        nodes.push(run_at(number, listen, next_epoch(None), known()).await);
    }
    acquaint(&nodes).await;
    nodes[0].handle.attend(vni()).await.unwrap();

    nodes[2].handle.claim(claim(1, 1)).await.unwrap();

    nodes[0].sees(1, Some(node(3))).await;
    all_up(&nodes).await;
}

#[tokio::test]
async fn a_node_without_keys_takes_part_once_it_has_them() {
    let nodes = [run(1, Known::default()).await, run(2, known()).await];
    acquaint(&nodes).await;
    nodes[1].handle.attend(vni()).await.unwrap();
    nodes[0].handle.claim(claim(1, 1)).await.unwrap();
    eventually(
        || nodes[0].handle.counters().datagrams.unsent > 0,
        || format!("{:?}", nodes[0].handle.counters()),
    )
    .await;
    assert_eq!(nodes[0].handle.counters().datagrams.sent, 0);

    nodes[0].handle.set_keys(ring(1, &[1])).await.unwrap();

    nodes[1].sees(1, Some(node(1))).await;
}
