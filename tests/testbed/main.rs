//! Tests of the testbed itself, on the kernel's own devices only. They need root.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    time::Duration,
};

use overlay_tests::{
    KernelHost, Session, Underlay, Wiring, interrupt,
    kernel_vxlan::{KernelContainer, KernelNetwork},
    namespace, session,
    traffic::{Flood, Iperf, PingCount, ping, sweep},
    underlay::{Families, Shape},
};

const PATIENCE: Duration = Duration::from_secs(5);
const BLUE_ONE: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const BLUE_TWO: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);

fn underlay_of_two(session: &Session, wiring: Wiring) -> Underlay {
    Underlay::build(session, "u", &["a", "b"], wiring).expect("an underlay")
}

#[test]
fn hosts_reach_each_other_on_every_kind_of_underlay() {
    let session = Session::for_test().expect("a session");
    for (label, shape) in [("direct", Shape::Direct), ("switch", Shape::Switch)] {
        for (family, families) in [("v4", Families::V4), ("v6", Families::V6)] {
            let wiring = Wiring {
                families,
                shape,
                mtu: 1400,
                offloads: false,
            };
            let underlay =
                Underlay::build(&session, &format!("{label}{family}"), &["a", "b"], wiring)
                    .expect("hosts");
            let [a, b] = underlay.machines() else {
                panic!("two hosts")
            };

            let count = ping(&a.namespace, b.address(), 3).expect("counts");

            assert!(count.is_complete(), "{label} {family}: {count:?}");
        }
    }
}

#[test]
fn containers_of_the_kernels_overlay_talk_across_hosts() {
    let session = Session::for_test().expect("a session");
    let underlay = underlay_of_two(&session, Wiring::direct());
    let network = KernelNetwork {
        vni: 4096,
        port: 4789,
        underlay_mtu: 1500,
    };
    let mut hosts: Vec<KernelHost> = underlay
        .machines()
        .iter()
        .map(|machine| KernelHost::new(machine, network).expect("a kernel host"))
        .collect();
    let one = hosts[0]
        .container(&session, "one", &[(IpAddr::from(BLUE_ONE), 24)])
        .expect("a container");
    let two = hosts[1]
        .container(&session, "two", &[(IpAddr::from(BLUE_TWO), 24)])
        .expect("a container");
    introduce(&hosts[0], &two, &hosts[1]);
    introduce(&hosts[1], &one, &hosts[0]);

    let silent = sweep(&one.namespace, &[BLUE_TWO, Ipv4Addr::new(10, 1, 0, 3)]).expect("a sweep");
    let iperf = Iperf {
        client: &one.namespace,
        server: &two.namespace,
        address: BLUE_TWO.into(),
        seconds: 1,
        directory: session.directory(),
    };
    let tcp = iperf.tcp(1).expect("a TCP run");
    let udp = iperf.udp(64).expect("a UDP run");

    assert_eq!(silent, [Ipv4Addr::new(10, 1, 0, 3)]);
    assert!(tcp.bits_per_second > 1e6, "{tcp:?}");
    assert!(udp.received_per_second > 1e3, "{udp:?}");
}

fn introduce(host: &KernelHost, container: &KernelContainer, behind: &KernelHost) {
    for address in &container.addresses {
        host.add_remote(*address, &container.mac, behind.machine().address())
            .expect("entries");
    }
}

#[test]
fn a_flood_counts_what_is_lost_while_the_receiver_is_deaf() {
    let session = Session::for_test().expect("a session");
    for families in [Families::V4, Families::V6] {
        let wiring = Wiring {
            families,
            ..Wiring::direct()
        };
        let underlay = Underlay::build(&session, &format!("{families:?}"), &["a", "b"], wiring)
            .expect("hosts");
        let [a, b] = underlay.machines() else {
            panic!("two hosts")
        };
        let (address, prefix) = (b.address(), if b.v4.is_some() { 24 } else { 64 });
        let flood = Flood::start(&a.namespace, address, Duration::from_millis(5)).expect("a flood");
        std::thread::sleep(Duration::from_millis(100));
        b.namespace
            .ip(&[format!("address del {address}/{prefix} dev eth0")])
            .expect("deaf");
        std::thread::sleep(Duration::from_millis(100));

        let deaf = flood.stop().expect("counts");
        b.namespace
            .ip(&[format!("address add {address}/{prefix} dev eth0 nodad")])
            .expect("hearing again");
        let answers = || ping(&a.namespace, address, 1).is_ok_and(PingCount::is_complete);
        assert!(interrupt::wait_until(PATIENCE, answers).expect("not interrupted"));
        let flood = Flood::start(&a.namespace, address, Duration::from_millis(5)).expect("a flood");
        std::thread::sleep(Duration::from_millis(100));
        let well = flood.stop().expect("counts");

        assert!(
            deaf.received > 5 && deaf.sent > deaf.received + 5,
            "{families:?} {deaf:?}"
        );
        assert!(well.is_complete(), "{families:?} {well:?}");
    }
}

#[test]
fn a_session_takes_processes_and_namespaces_with_it() {
    let session = Session::for_test().expect("a session");
    let directory = session.directory().to_owned();
    let namespace = session.namespace("left").expect("a namespace");
    let prefix = session.namespace_name("");
    let mut sleeper = namespace
        .command("sleep")
        .arg("1000")
        .spawn()
        .expect("a process");
    let name = [namespace.name().to_owned()];
    let inside = || namespace::processes_inside(&name).is_ok_and(|pids| pids == [sleeper.id()]);
    assert!(interrupt::wait_until(PATIENCE, inside).expect("not interrupted"));
    namespace.leave();

    drop(session);

    let status = sleeper.wait().expect("an end");
    assert!(!status.success());
    assert_eq!(
        namespace::list(&prefix).expect("a list"),
        Vec::<String>::new()
    );
    assert!(!directory.exists());
}

#[test]
fn a_dead_session_is_removed_by_the_next_one() {
    let mut dying = Session::for_test().expect("a session");
    dying.namespace("orphan").expect("a namespace").leave();
    let (directory, prefix) = (dying.directory().to_owned(), dying.namespace_name(""));
    dying.keep().expect("kept");
    drop(dying);
    assert_eq!(namespace::list(&prefix).expect("a list").len(), 1);
    // Without its mark, what a kept session left looks like what a killed process left.
    std::fs::remove_file(directory.join("kept")).expect("a mark");

    let session = Session::for_test().expect("a session");

    // The session of a test beside this one may be the one that removes it.
    let gone =
        || namespace::list(&prefix).is_ok_and(|names| names.is_empty()) && !directory.exists();
    assert!(interrupt::wait_until(PATIENCE, gone).expect("not interrupted"));
    drop(session);
}

#[test]
fn a_session_in_use_cannot_be_opened_twice() {
    let name = format!("twice{}", std::process::id());
    let first = Session::open(&name).expect("a session");

    let second = Session::open(&name).expect_err("refused");

    assert!(second.to_string().contains("in use"), "{second:#}");
    drop(first);
    assert!(
        !Path::new(session::ROOT)
            .join(format!("{name}.lock"))
            .exists()
    );
}
