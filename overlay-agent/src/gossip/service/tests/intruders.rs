use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;

use super::*;

#[tokio::test]
async fn a_node_with_another_key_stays_out_and_is_counted() {
    let mut nodes = cluster(2).await;
    let wrong = run(
        3,
        Known {
            keys: KeyRing {
                primary: 1,
                keys: vec![RingKey {
                    number: 1,
                    secret: [99; 32],
                }],
            },
            claims: vec![claim(1, 1)],
            ..Known::default()
        },
    )
    .await;
    nodes.push(wrong);
    nodes[0].handle.attend(vni()).await.unwrap();
    acquaint(&nodes).await;

    nodes[0].sees_state(node(2), NodeState::Up).await;
    eventually(
        || nodes[0].handle.counters().datagrams.refused.bad_tag >= 2,
        || format!("{:?}", nodes[0].handle.counters()),
    )
    .await;
    assert_eq!(nodes[0].owner(1).await, None);
    assert_eq!(nodes[2].handle.counters().datagrams.received, 0);
    assert_ne!(
        nodes[0].handle.states().borrow().get(&node(3)),
        Some(&NodeState::Up)
    );
}

#[tokio::test]
async fn a_node_that_the_managers_do_not_know_stays_out_and_is_counted() {
    let nodes = cluster(2).await;
    nodes[0].handle.attend(vni()).await.unwrap();
    let stranger = run(
        9,
        Known {
            members: members(&nodes),
            claims: vec![claim(1, 1)],
            ..known()
        },
    )
    .await;

    eventually(
        || nodes[0].handle.counters().datagrams.refused.unknown_sender >= 2,
        || format!("{:?}", nodes[0].handle.counters()),
    )
    .await;
    assert_eq!(nodes[0].owner(1).await, None);
    assert_eq!(stranger.handle.counters().datagrams.received, 0);
}

#[tokio::test]
async fn a_removed_node_is_out_as_soon_as_the_others_know() {
    let mut nodes = cluster(3).await;
    nodes[0].handle.attend(vni()).await.unwrap();
    nodes[2].handle.claim(claim(1, 1)).await.unwrap();
    nodes[0].sees(1, Some(node(3))).await;
    let removed = nodes.pop().unwrap();

    for one in &nodes {
        one.handle.set_members(members(&nodes)).await.unwrap();
        one.handle.set_keys(ring(2, &[2])).await.unwrap();
    }
    removed.handle.claim(claim(2, 1)).await.unwrap();

    nodes[0].sees(1, None).await;
    eventually(
        || nodes[0].handle.counters().datagrams.refused.unknown_sender >= 1,
        || format!("{:?}", nodes[0].handle.counters()),
    )
    .await;
    assert_eq!(nodes[0].owner(2).await, None);
    assert!(!nodes[0].handle.states().borrow().contains_key(&node(3)));
}

#[tokio::test]
async fn nodes_agree_through_a_flood_of_garbage() {
    let nodes = cluster(2).await;
    nodes[0].handle.attend(vni()).await.unwrap();
    let target = nodes[0].handle.address();
    let mut flood = JoinSet::new();
    flood.spawn(async move {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut garbage = [1u8; 1200];
        for number in 0u64.. {
            garbage[20..28].copy_from_slice(&number.to_be_bytes());
            socket.send_to(&garbage, target).await.unwrap();
            if number % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    eventually(
        || nodes[0].handle.counters().datagrams.refused.total() > 10_000,
        || format!("{:?}", nodes[0].handle.counters()),
    )
    .await;

    for last in 1..=50 {
        nodes[1].handle.claim(claim(last, 1)).await.unwrap();
    }

    for last in 1..=50 {
        nodes[0].sees(last, Some(node(2))).await;
    }
}

/// Passes datagrams on to a node, and keeps a copy of each.
async fn tap(to: SocketAddr, tasks: &mut JoinSet<()>) -> (SocketAddr, Arc<Mutex<Vec<Vec<u8>>>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let capture = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&capture);
    tasks.spawn(async move {
        let mut buffer = [0; 2000];
        while let Ok((length, _)) = socket.recv_from(&mut buffer).await {
            kept.lock().unwrap().push(buffer[..length].to_vec());
            socket.send_to(&buffer[..length], to).await.unwrap();
        }
    });
    (at, capture)
}

#[tokio::test]
async fn a_capture_that_is_played_again_brings_nothing_back() {
    let mut taps = JoinSet::new();
    let nodes = [run(1, known()).await, run(2, known()).await];
    let (tapped, capture) = tap(nodes[0].handle.address(), &mut taps).await;
    let through = BTreeMap::from([(node(1), tapped), (node(2), nodes[1].handle.address())]);
    nodes[0].handle.attend(vni()).await.unwrap();
    for one in &nodes {
        one.handle.set_members(through.clone()).await.unwrap();
    }
    nodes[1].handle.claim(claim(1, 1)).await.unwrap();
    nodes[0].sees(1, Some(node(2))).await;
    nodes[1].handle.withdraw(vni(), address(1)).await.unwrap();
    nodes[0].sees(1, None).await;
    let played: Vec<Vec<u8>> = capture.lock().unwrap().clone();
    assert!(!played.is_empty());

    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for datagram in &played {
        socket
            .send_to(datagram, nodes[0].handle.address())
            .await
            .unwrap();
    }

    eventually(
        || nodes[0].handle.counters().datagrams.refused.replay >= played.len() as u64,
        || format!("{} of {:?}", played.len(), nodes[0].handle.counters()),
    )
    .await;
    assert_eq!(nodes[0].owner(1).await, None);
}

#[tokio::test]
async fn a_removed_node_is_not_heard_on_a_stream_that_it_had_opened() {
    let one = run(1, known()).await;
    let sockets = Sockets::bind("127.0.0.1:0".parse().unwrap(), 1 << 20)
        .await
        .unwrap();
    let local = sockets.address().unwrap();
    let seal = Seal::new("c", node(3), Epoch::starting(1, 1), &ring(1, &[1]));
    let mut tasks = JoinSet::new();
    let (removed, _inbound) = Transport::start(sockets, local, seal, Limits::default(), &mut tasks);
    let all = BTreeMap::from([(node(1), one.handle.address()), (node(3), local)]);
    removed.set_members(&all);
    one.handle.set_members(all).await.unwrap();
    let mut link = removed
        .connect(node(1), one.handle.address())
        .await
        .unwrap();
    eventually(
        || one.handle.counters().streams.accepted == 1,
        || format!("{:?}", one.handle.counters()),
    )
    .await;

    one.handle.set_members(BTreeMap::new()).await.unwrap();
    link.write(b"still there").await.unwrap();

    assert!(matches!(link.read().await, Ok(None) | Err(_)));
    let counters = one.handle.counters();
    assert_eq!(counters.streams.timed_out, 0, "{counters:?}");
    assert_eq!(counters.core.malformed, 0, "{counters:?}");
}
