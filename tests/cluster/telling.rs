//! What commands tell beside what was asked for.

use overlay_tests::{
    Container, Swarm, interrupt, process,
    swarm::{AGREED, Role, await_reply},
};

#[test]
fn a_name_that_is_there_twice_is_told_to_whoever_made_the_second() {
    let swarm = Swarm::start(&["a", "b"], 1).expect("a swarm");
    swarm.network("blue", &[]).expect("a network");
    let (web, _) = swarm.guest(0, "blue", "web").expect("a container");
    let (other, eth0) = swarm.guest(1, "blue", "other").expect("a container");
    let to = eth0.need_v4().expect("an address").into();
    await_reply(&web, to, AGREED).expect("a reply");
    let container = Container::new(swarm.session(), "web2").expect("a container");
    let path = container.namespace().path().to_string_lossy().into_owned();
    let attach = |name: &str| {
        let arguments = [
            "attach",
            "--netns",
            &path,
            "--network",
            "blue",
            "--name",
            name,
        ];
        process::capture(&mut swarm[1].cli(&arguments)).expect("an end")
    };

    let attached = attach("web");

    assert!(attached.status.success(), "{}", attached.stderr);
    let words = "node a has an endpoint web in network blue, too";
    assert!(attached.stderr.contains(words), "{}", attached.stderr);
    swarm[1].overlay(&["detach", "web"]).expect("detach");
    let attached = attach("another");
    assert!(attached.status.success(), "{}", attached.stderr);
    assert_eq!(attached.stderr, "", "a name of its own is nothing to tell");
    drop(other);
}

#[test]
fn a_network_that_is_not_here_has_an_mtu() {
    let swarm = Swarm::start(&["a", "b"], 1).expect("a swarm");
    swarm.network("blue", &[]).expect("a network");
    swarm
        .network("narrow", &["--opt", "com.docker.network.driver.mtu=1300"])
        .expect("a network");
    let mtu = |name: &str| {
        let inspected = swarm[0].overlay_json(&["network", "inspect", name]);
        inspected.expect("a network")[0]["mtu"].clone()
    };

    assert_eq!((mtu("blue"), mtu("narrow")), (1450.into(), 1300.into()));
    let (_one, _) = swarm.guest(0, "blue", "one").expect("a container");
    assert_eq!(mtu("blue"), 1450, "as where it is");
}

#[test]
fn a_node_gossips_where_its_join_says() {
    let swarm = Swarm::apart(&["a", "b"]).expect("hosts");
    swarm.init(0).expect("swarm init");
    let token = swarm.token(Role::Worker).expect("a token");
    let joined = swarm[1].overlay(&[
        "swarm",
        "join",
        "--token",
        &token,
        "--advertise-addr",
        "192.0.2.2",
        "--gossip-port",
        "7950",
        "192.0.2.1:2377",
    ]);
    joined.expect("swarm join");

    swarm.await_members(2).expect("members");

    let nodes = swarm[0].overlay_json(&["node", "inspect", "b"]);
    assert_eq!(
        nodes.expect("a node")[0]["description"]["gossip"],
        "192.0.2.2:7950"
    );
}

#[test]
fn status_counts_what_the_nodes_tell_each_other() {
    let swarm = Swarm::start(&["a", "b"], 1).expect("a swarm");
    swarm.network("blue", &[]).expect("a network");
    let (one, _) = swarm.guest(0, "blue", "one").expect("a container");
    let (_two, eth0) = swarm.guest(1, "blue", "two").expect("a container");
    let to = eth0.need_v4().expect("an address").into();
    await_reply(&one, to, AGREED).expect("a reply");

    let gossip = || swarm[0].status().expect("a status")["cluster"]["gossip"].clone();
    assert_eq!(gossip()["claims"], 1);
    assert!(gossip()["received"].as_u64() > Some(0), "{}", gossip());
    let told = interrupt::wait_until(AGREED, || gossip()["queued"] == 0);
    assert!(told.expect("no interruption"), "{}", gossip());
    let heard = interrupt::wait_until(AGREED, || {
        let status = swarm[1].status().expect("a status");
        status["cluster"]["heard_unix_s"].as_u64() > Some(0)
    });
    assert!(heard.expect("no interruption"), "managers are heard");
    let nodes = swarm[0].overlay_json(&["node", "inspect", "self"]);
    let version = &nodes.expect("a node")[0]["description"]["engine_version"];
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_rotation_that_waits_names_the_node_and_the_way_out() {
    let mut swarm = Swarm::start(&["a", "b"], 1).expect("a swarm");
    swarm.host_mut(1).kill_agent().expect("a killed agent");
    let failed = interrupt::wait_until(AGREED, || {
        let status = swarm[0].status().expect("a status");
        status["cluster"]["gossip"]["failed"] == 1
    });
    assert!(failed.expect("no interruption"), "b is missed");

    let rotated = process::capture(&mut swarm[0].cli(&["swarm", "ca", "--rotate"]));
    let rotated = rotated.expect("an end");

    assert!(rotated.status.success(), "{}", rotated.stderr);
    for words in [
        "node b does not answer",
        "`overlay node rm b` ends the wait",
    ] {
        assert!(rotated.stderr.contains(words), "{}", rotated.stderr);
    }
    swarm[0].overlay(&["node", "rm", "b"]).expect("node rm");
    let over = interrupt::wait_until(AGREED, || {
        swarm[0]
            .overlay_json(&["swarm", "ca"])
            .is_ok_and(|root| root["outdated_nodes"] == 0)
    });
    assert!(over.expect("no interruption"), "the rotation ends");
}
