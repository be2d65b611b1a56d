use super::*;

#[tokio::test]
async fn a_node_that_leaves_is_known_to_have_left() {
    let mut nodes = cluster(3).await;
    nodes[0].handle.attend(vni()).await.unwrap();
    let leaving = nodes.pop().unwrap();
    leaving.handle.claim(claim(1, 1)).await.unwrap();
    nodes[0].sees(1, Some(node(3))).await;
    for one in &nodes {
        one.sees_state(node(3), NodeState::Up).await;
    }

    leaving.handle.leave().await.unwrap();

    for one in &nodes {
        one.sees_state(node(3), NodeState::Left).await;
    }
    nodes[0].sees(1, None).await;
    assert_eq!(leaving.handle.attend(vni()).await, Err(Stopped));
}

#[tokio::test]
async fn a_node_that_restarts_is_heard_at_once() {
    let mut nodes = cluster(3).await;
    nodes[0].handle.attend(vni()).await.unwrap();
    all_up(&nodes).await;
    let crashing = nodes.pop().unwrap();
    crashing.handle.claim(claim(1, 1)).await.unwrap();
    nodes[0].sees(1, Some(node(3))).await;
    let at = crashing.handle.address();
    let known = remembered(&nodes, 3, at, vec![claim(2, 1)]);
    crashing.crash().await;

    let again = run_at(3, at, next_epoch(None), known).await;

    nodes[0].sees(2, Some(node(3))).await;
    nodes[0].sees(1, None).await;
    again.sees_state(node(1), NodeState::Up).await;
}

#[tokio::test]
async fn a_node_that_kept_its_epoch_is_heard_though_its_clock_went_back() {
    let mut nodes = Vec::new();
    for number in 1..=2 {
        nodes.push(run(number, known()).await);
    }
    let listen = "127.0.0.1:0".parse().unwrap();
    let future = next_epoch(None) + 86_400_000;
    nodes.push(run_at(3, listen, future, known()).await);
    acquaint(&nodes).await;
    all_up(&nodes).await;
    let crashing = nodes.pop().unwrap();
    let at = crashing.handle.address();
    let known = remembered(&nodes, 3, at, vec![claim(2, 1)]);
    crashing.crash().await;
    nodes[0].handle.attend(vni()).await.unwrap();

    let _again = run_at(3, at, future + 1, known).await;

    nodes[0].sees(2, Some(node(3))).await;
}

#[tokio::test]
async fn a_node_that_crashes_is_found_out_and_its_claims_return_with_it() {
    let mut nodes = cluster(3).await;
    nodes[0].handle.attend(vni()).await.unwrap();
    all_up(&nodes).await;
    let crashing = nodes.pop().unwrap();
    crashing.handle.claim(claim(1, 1)).await.unwrap();
    nodes[0].sees(1, Some(node(3))).await;
    let at = crashing.handle.address();
    let known = remembered(&nodes, 3, at, vec![claim(1, 1)]);

    crashing.crash().await;
    nodes[0].sees_state(node(3), NodeState::Failed).await;
    nodes[0].sees(1, None).await;
    assert!(
        nodes[0]
            .handle
            .observed()
            .await
            .unwrap()
            .failed
            .contains(&node(3))
    );
    let _again = run_at(3, at, next_epoch(None), known).await;

    nodes[0].sees_state(node(3), NodeState::Up).await;
    nodes[0].sees(1, Some(node(3))).await;
}
