//! Agents that are killed, nodes that leave, and what is left of them.

use std::time::Duration;

use overlay_tests::{
    Swarm, interrupt,
    swarm::{AGREED, Role, await_reply},
    traffic::{Flood, ping},
};

#[test]
fn a_killed_agent_comes_back_by_itself_and_no_packet_is_lost() {
    let mut swarm = Swarm::start(&["a", "b"], 1).expect("a swarm");
    swarm.network("blue", &[]).expect("a network");
    let (one, first) = swarm.guest(0, "blue", "one").expect("a container");
    let (two, second) = swarm.guest(1, "blue", "two").expect("a container");
    let to = second.need_v4().expect("an address").into();
    await_reply(&one, to, AGREED).expect("a reply");
    let back = first.need_v4().expect("an address").into();
    await_reply(&two, back, AGREED).expect("a reply");
    let flood = Flood::start(one.namespace(), to, Duration::from_millis(2)).expect("a flood");

    for place in [1, 0, 1, 0] {
        swarm.host_mut(place).kill_agent().expect("a kill");
        interrupt::pause(Duration::from_millis(300)).expect("no interruption");
        swarm.host_mut(place).start_agent().expect("a start");
        swarm.await_members(2).expect("members");
    }

    let count = flood.stop().expect("the flood's end");
    assert!(count.is_complete(), "{count:?}");
    let (three, _) = swarm.guest(1, "blue", "three").expect("a new container");
    await_reply(&three, back, AGREED).expect("a reply");
}

#[test]
fn a_node_that_leaves_is_forgotten() {
    let swarm = Swarm::start(&["a", "b"], 1).expect("a swarm");
    swarm.network("blue", &[]).expect("a network");
    let (one, _) = swarm.guest(0, "blue", "one").expect("a container");
    let (two, eth0) = swarm.guest(1, "blue", "two").expect("a container");
    let to = eth0.need_v4().expect("an address").into();
    await_reply(&one, to, AGREED).expect("a reply");
    two.detach(&swarm[1], "blue").expect("detach");

    let left = swarm[1].overlay(&["swarm", "leave"]).expect("swarm leave");
    assert_eq!(left.trim(), "Node left the swarm.");
    let down = interrupt::wait_until(AGREED, || {
        swarm[0]
            .overlay(&["node", "ls"])
            .is_ok_and(|listing| listing.contains("Down"))
    });
    assert!(down.expect("no interruption"), "it is listed as down");
    swarm[0].overlay(&["node", "rm", "b"]).expect("node rm");
    let listing = swarm[0].overlay(&["node", "ls"]).expect("node ls");
    assert_eq!(listing.lines().count(), 2, "{listing}");
    assert!(!ping(one.namespace(), to, 1).expect("a ping").is_complete());

    swarm.join(1, Role::Worker).expect("it may come again");
    swarm.await_members(2).expect("members");
    let again = two.attach(&swarm[1], "blue", &[]).expect("attach");
    let to = again.need_v4().expect("an address").into();
    await_reply(&one, to, AGREED).expect("a reply");
}

#[test]
fn a_removed_node_is_shut_out() {
    let swarm = Swarm::start(&["a", "b"], 1).expect("a swarm");

    let busy = swarm[0]
        .overlay(&["node", "rm", "b"])
        .expect_err("it is up");
    assert!(format!("{busy:#}").contains("--force"), "{busy:#}");
    swarm[0]
        .overlay(&["node", "rm", "--force", "b"])
        .expect("node rm");
    let alone = interrupt::wait_until(AGREED, || {
        let status = swarm[0].status();
        status.is_ok_and(|status| status["cluster"]["gossip"]["alive"] == 0)
    });
    assert!(alone.expect("no interruption"), "its gossip is not heard");
}
