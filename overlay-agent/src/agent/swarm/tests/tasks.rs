//! Tasks of services.

use super::*;

/// The endpoint of this number as a task.
fn own_task(number: u8) -> Attachment {
    Attachment {
        service: Some(services::id(1)),
        ..attachment(number)
    }
}

fn with_service(mut view: ClusterView, service: ClusterService) -> ClusterView {
    view.services.insert(service.id, service);
    view
}

fn remote(address: &str, node: u8, state: TaskState) -> (Place, Option<(NodeId, Claim)>) {
    let claim = services::claim(blue(), ip(address), Some((services::id(1), state)));
    (place(address), Some((id(node), claim)))
}

#[tokio::test(start_paused = true)]
async fn tasks_are_told_and_balanced_and_their_nodes_looked_after() {
    let view = with_service(view(5), services::service(1, blue(), "10.1.0.250"));
    let world = World::new(view, &[own_task(1)]);
    world.settle().await;
    assert_eq!(
        world.announce.take(),
        ["attend 4096", "claim 4096 10.1.0.2 for c1 by 0, Running"]
    );

    world.hear(News::Claims(vec![remote(
        "10.1.0.9",
        2,
        TaskState::Running,
    )]));
    world.settle().await;

    let (_, balanced) = lock(&world.told).balanced.pop().unwrap();
    let balanced = balanced.unwrap();
    assert_eq!(balanced.vips, BTreeSet::from([place("10.1.0.250")]));
    let nodes: Vec<_> = balanced.tasks.values().map(|task| task.node).collect();
    assert_eq!(nodes, [None, Some(ip("192.0.2.2"))]);
    assert_eq!(world.announce.take(), ["watch 1"]);

    world.hear(News::Suspects(BTreeSet::from([id(2)])));
    world.settle().await;
    let (_, balanced) = lock(&world.told).balanced.pop().unwrap();
    assert!(!balanced.unwrap().tasks[&place("10.1.0.9")].is_open);

    world.hear(News::Failed(BTreeSet::from([id(2)])));
    world.settle().await;
    let (_, balanced) = lock(&world.told).balanced.pop().unwrap();
    assert_eq!(balanced.unwrap().tasks.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_is_told_as_its_check_says_and_as_draining_before_it_goes() {
    let mut service = services::service(1, blue(), "10.1.0.250");
    service.health = Some(services::tcp_check());
    let world = World::new(with_service(view(5), service), &[]);
    world.settle().await;
    let endpoint = Arc::new(own_task(1));
    world.hear(News::Attached(Arc::clone(&endpoint)));
    world.settle().await;
    let said = world.announce.take();
    assert_eq!(said[1], "claim 4096 10.1.0.2 for c1 by 0, Starting");

    world.hear(News::Checked(endpoint.id.clone(), TaskState::Running));
    world.settle().await;
    world.hear(News::Checked(endpoint.id.clone(), TaskState::Unhealthy));
    world.settle().await;
    world.handle.drain(vec![endpoint.id.clone()]).await.unwrap();

    assert_eq!(
        world.announce.take(),
        [
            "claim 4096 10.1.0.2 for c1 by 0, Running",
            "claim 4096 10.1.0.2 for c1 by 0, Unhealthy",
            "claim 4096 10.1.0.2 for c1 by 0, Draining",
        ]
    );
    world.hear(News::Detached(endpoint));
    world.settle().await;
    assert_eq!(
        world.announce.take(),
        ["withdraw 4096 10.1.0.2", "leave 4096"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_that_serves_goes_on_when_its_service_gets_a_check() {
    let unchecked = services::service(1, blue(), "10.1.0.250");
    let world = World::new(with_service(view(5), unchecked.clone()), &[own_task(1)]);
    world.settle().await;
    world.announce.take();

    let mut checked = unchecked;
    checked.health = Some(services::tcp_check());
    world.hear(News::View(Arc::new(with_service(view(6), checked))));
    world.hear(News::Attached(Arc::new(own_task(2))));
    world.settle().await;

    assert_eq!(
        world.announce.take(),
        ["claim 4096 10.1.0.3 for c2 by 0, Starting"],
        "a new one has to prove itself"
    );
}

#[tokio::test(start_paused = true)]
async fn claims_behind_published_ports_are_wanted_where_the_network_is_not() {
    let mut service = services::service(1, blue(), "10.1.0.250");
    service.ports = BTreeSet::from([services::port(PublishMode::Ingress)]);
    let world = World::new(with_service(view(5), service), &[]);
    world.settle().await;

    assert_eq!(world.announce.take(), ["attend 4096"]);
    assert!(
        world.plan().desired.networks.is_empty(),
        "its packets are not for this node"
    );

    world.hear(News::View(Arc::new(view(6))));
    world.settle().await;
    assert_eq!(world.announce.take(), ["leave 4096"]);
}

#[tokio::test(start_paused = true)]
async fn a_drained_node_has_no_tasks_for_new_flows() {
    let view = with_service(view(5), services::service(1, blue(), "10.1.0.250"));
    let world = World::new(view.clone(), &[own_task(1)]);
    world.settle().await;
    world.announce.take();

    let mut drained = ClusterView { index: 6, ..view };
    drained.members.get_mut(&id(1)).unwrap().availability = Availability::Drain;
    world.hear(News::View(Arc::new(drained)));
    world.settle().await;

    assert_eq!(
        world.announce.take(),
        ["claim 4096 10.1.0.2 for c1 by 0, Draining"]
    );
    time::sleep(Duration::from_secs(11)).await;
    world.settle().await;
    assert!(lock(&world.told).believes_no_more);
}
