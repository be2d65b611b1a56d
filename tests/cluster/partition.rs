//! A host that is cut off and comes back.

use std::time::{Duration, Instant};

use overlay_tests::{
    Swarm, interrupt,
    swarm::{AGREED, await_reply},
    traffic::Flood,
};

/// Long enough for everybody to give it up.
const CUT: Duration = Duration::from_mins(1);

#[test]
fn a_node_cut_off_for_a_minute_answers_two_seconds_after_its_return() {
    let swarm = Swarm::start(&["a", "b", "c"], 1).expect("a swarm");
    swarm
        .network("blue", &["--subnet", "10.9.0.0/24"])
        .expect("a network");
    let (one, first) = swarm.guest(0, "blue", "one").expect("a container");
    let (two, second) = swarm.guest(1, "blue", "two").expect("a container");
    let (_three, third) = swarm.guest(2, "blue", "three").expect("a container");
    let (to_two, to_three) = (
        second.need_v4().expect("an address").into(),
        third.need_v4().expect("an address").into(),
    );
    await_reply(&one, to_two, AGREED).expect("a reply");
    await_reply(&one, to_three, AGREED).expect("a reply");
    let undisturbed = Flood::start(
        two.namespace(),
        first.need_v4().expect("an address").into(),
        Duration::from_millis(5),
    )
    .expect("a flood");

    let cut = &swarm[2];
    cut.namespace().ip(&["link set eth0 down"]).expect("a cut");
    let failed = interrupt::wait_until(CUT, || {
        let status = swarm[0].status();
        status.is_ok_and(|status| status["cluster"]["gossip"]["failed"] == 1)
    });
    assert!(failed.expect("no interruption"), "nobody missed it");
    interrupt::pause(CUT).expect("no interruption");
    cut.namespace().ip(&["link set eth0 up"]).expect("a return");
    let returned = Instant::now();
    await_reply(&one, to_three, AGREED).expect("a reply");
    let took = returned.elapsed();
    let count = undisturbed.stop().expect("the flood's end");

    assert!(took < Duration::from_secs(2), "answered after {took:?}");
    assert!(count.is_complete(), "the others were disturbed: {count:?}");
    swarm.await_members(3).expect("all know each other again");
}
