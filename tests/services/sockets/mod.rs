//! Sockets that ask for services: where they end up, what their owners are told, and how they end.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use overlay_tests::{
    Counters, Host, Service, Swarm, container::Attached, interrupt, service::PORT, swarm::AGREED,
};

use crate::scene::{BLUE, addresses, client, three_hosts, three_hosts_with};

mod talk;

use talk::{Task, Way, exchange_datagrams, mapped};

/// "At once": less than any retransmission.
const AT_ONCE: Duration = Duration::from_millis(200);

/// How soon an ended task's clients know.
const ENDED: Duration = Duration::from_secs(1);

const PACKETS_ONLY: &str = "services:\n  socket_lb: false\n";
const SOCKETS_ONLY: &str = "services:\n  packet_lb: false\n";

/// A service with one task, which is a container that does nothing of its own.
fn echo<'s>(swarm: &'s Swarm, place: usize, options: &[&str]) -> (Service<'s>, Task) {
    let mut all = vec!["--network", BLUE];
    all.extend(options);
    let service = Service::create(swarm, "echo", &all).expect("service create");
    let name = format!("echo.{place}");
    let task = Task::start(swarm, place, service.name(), &name).expect("a task");
    service.await_running(1).expect("a task");
    (service, task)
}

fn vips(service: &Service<'_>) -> Vec<IpAddr> {
    let vips = service.vips(0, BLUE).expect("VIPs");
    assert_eq!(vips.len(), 2, "one of each family: {vips:?}");
    vips
}

/// Both families, and IPv4 as IPv6 sockets spell it.
fn spellings(addresses: &[IpAddr]) -> [SocketAddr; 3] {
    let [v4, v6] = addresses else {
        panic!("one of each family: {addresses:?}");
    };
    [*v4, *v6, mapped(*v4)].map(|address| SocketAddr::new(address, PORT))
}

/// The client's own addresses as a server sees them that is asked at `to`.
fn own(attached: &Attached, to: SocketAddr) -> IpAddr {
    let is_v4 = to.ip().to_canonical().is_ipv4();
    let mut own = attached.addresses().into_iter();
    own.find(|own| own.is_ipv4() == is_v4).expect("an address")
}

#[test]
fn a_connection_to_a_service_lands_on_its_task_and_nobody_notices() {
    let swarm = three_hosts();
    let (service, task) = echo(&swarm, 1, &[]);
    let (client, eth0) = client(&swarm, 0);
    let vips = vips(&service);

    let counted = Counters::during([&swarm[0], &swarm[1]], || {
        for to in spellings(&vips) {
            let (_client, _server, seen) = task.connect(client.namespace(), to)?;
            assert_eq!(seen, own(&eth0, to), "{to}");
        }
        Ok(())
    });

    let [here, there] = counted.expect("connections");
    assert_eq!(here.walk("socket-connected"), 3, "{here:?}");
    for counted in [here, there] {
        for packets in ["balanced", "balanced-answer"] {
            assert_eq!(counted.walk(packets), 0, "{counted:?}");
        }
        assert_eq!(counted.losses(), [], "{counted:?}");
    }
}

#[test]
fn datagrams_go_to_the_task_and_come_from_the_service() {
    let swarm = three_hosts();
    let (service, task) = echo(&swarm, 1, &[]);
    let (client, eth0) = client(&swarm, 0);
    let vips = vips(&service);

    let counted = Counters::during([&swarm[0]], || {
        for to in spellings(&vips) {
            for way in [Way::Connected, Way::Free] {
                let seen = exchange_datagrams(client.namespace(), &task, to, way)?;
                assert_eq!(seen, own(&eth0, to), "{to} {way:?}");
            }
        }
        Ok(())
    });

    let [counted] = counted.expect("datagrams");
    assert_eq!(counted.walk("socket-connected"), 3, "{counted:?}");
    // Two datagrams of each socket without a connection.
    assert_eq!(counted.walk("socket-sent"), 6, "{counted:?}");
    assert_eq!(counted.losses(), [], "{counted:?}");
}

#[test]
fn one_socket_talks_to_two_services_and_knows_who_answers() {
    let swarm = three_hosts();
    let (one, first) = echo(&swarm, 1, &[]);
    let other = Service::create(&swarm, "other", &["--network", BLUE]).expect("service create");
    let second = Task::start(&swarm, 2, other.name(), "other.1").expect("a task");
    other.await_running(1).expect("a task");
    let (client, _) = client(&swarm, 0);
    let services = [
        (one.vip(0, BLUE).expect("a VIP"), &first),
        (other.vip(0, BLUE).expect("a VIP"), &second),
    ];

    let socket = talk::free_socket(client.namespace(), services[0].0).expect("a socket");
    for _twice in 0..2 {
        for (vip, _) in services {
            socket.send_to(b"ping", vip).expect("sent");
        }
        for (vip, task) in services {
            task.answer_datagram(vip).expect("a question");
        }
        let from = |_| socket.recv_from(&mut [0; 16]).expect("an answer").1;
        let mut from = [0, 1].map(from);
        from.sort();
        let mut expected = services.map(|(vip, _)| vip);
        expected.sort();
        assert_eq!(from, expected);
    }
}

#[test]
fn only_containers_of_the_network_are_led() {
    let swarm = three_hosts();
    swarm.network("red", &[]).expect("a network");
    let (service, _task) = echo(&swarm, 1, &[]);
    let vip = service.vip(0, BLUE).expect("a VIP");
    let (stranger, _) = swarm.guest(0, "red", "stranger").expect("a container");

    let counted = Counters::during([&swarm[0]], || {
        for namespace in [stranger.namespace(), swarm[0].namespace()] {
            let connected = namespace.run(|| TcpStream::connect_timeout(&vip, AT_ONCE))?;
            assert!(connected.is_err(), "{connected:?}");
        }
        Ok(())
    });

    let [counted] = counted.expect("counters");
    assert_eq!(counted.walk("socket-connected"), 0, "{counted:?}");
}

#[test]
fn a_service_without_tasks_refuses_its_sockets() {
    let swarm = three_hosts();
    let service = Service::create(&swarm, "none", &["--network", BLUE]).expect("service create");
    let (client, _) = client(&swarm, 0);
    let vip = service.vip(0, BLUE).expect("a VIP");
    // The first answer may be the packets'.
    let refuse = || {
        client
            .namespace()
            .run(|| TcpStream::connect(vip).unwrap_err())
    };
    let refused = || {
        let before = Counters::of(&swarm[0]).expect("counters");
        let begun = Instant::now();
        let error = refuse().expect("a refusal");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        let after = Counters::of(&swarm[0]).expect("counters");
        after.since(&before).drop("socket-refused") == 1
    };

    assert!(interrupt::wait_until(AGREED, refused).expect("no interruption"));
}

/// The client's agent; a host whose agent is away for longer counts as dead to the others.
#[test]
fn connections_outlive_the_agent_that_led_them() {
    let mut swarm = three_hosts();
    let (client, _) = client(&swarm, 0);
    let (vip, task) = {
        let (service, task) = echo(&swarm, 1, &["--publish", "8080:80"]);
        (service.vip(0, BLUE).expect("a VIP"), task)
    };
    let published = SocketAddr::new([127, 0, 0, 1].into(), 8080);
    let host = swarm[0].namespace().clone();
    let connect = |from| task.connect(from, vip);
    let mut living = vec![
        connect(client.namespace()).expect("a connection"),
        task.connect(&host, published).expect("a connection"),
    ];
    let datagrams = talk::connected_socket(client.namespace(), vip).expect("a socket");
    let go_on = |living: &mut Vec<talk::Connection>| {
        for (number, (client, server, _)) in living.iter_mut().enumerate() {
            let written = client.write_all(b"still here");
            written.unwrap_or_else(|error| panic!("connection {number}: {error}"));
            server.read_exact(&mut [0; 10]).expect("read");
        }
        datagrams.send(b"ping").expect("sent");
        task.answer_datagram(vip).expect("a question");
        datagrams.recv(&mut [0; 16]).expect("an answer");
    };
    go_on(&mut living);

    for end in [Host::stop_agent, Host::kill_agent] {
        end(swarm.host_mut(0)).expect("the agent's end");
        go_on(&mut living);
        living.push(connect(client.namespace()).expect("without an agent"));
        swarm.host_mut(0).start_agent().expect("started again");
        // Long enough for a mistaken end to be done.
        interrupt::pause(Duration::from_secs(2)).expect("no interruption");
        go_on(&mut living);
        living.push(connect(client.namespace()).expect("with the next agent"));
    }
    swarm.await_members(3).expect("three members");
    go_on(&mut living);
}

/// Other agents of the kernel keep their programs when one stops and goes.
#[test]
fn agents_of_one_kernel_do_not_meet() {
    let mut swarm = three_hosts();
    let (client, _) = client(&swarm, 0);
    let (vip, task) = {
        let (service, task) = echo(&swarm, 1, &[]);
        (service.vip(0, BLUE).expect("a VIP"), task)
    };
    swarm.host_mut(2).stop_agent().expect("stopped");
    swarm[2].uninstall().expect("uninstalled");

    let counted = Counters::during([&swarm[0], &swarm[1]], || {
        task.connect(client.namespace(), vip).map(drop)
    });

    let [here, there] = counted.expect("a connection");
    assert_eq!(here.walk("socket-connected"), 1, "{here:?}");
    assert_eq!(there.walk("socket-connected"), 0, "{there:?}");
}

/// A read that waits must end with an error, at once; how long that took.
fn ends(mut waiting: &TcpStream, begun: Instant) -> Duration {
    let error = waiting.read(&mut [0]).expect_err("an end");
    assert!(
        matches!(
            error.kind(),
            ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
        ),
        "{error:?}"
    );
    begun.elapsed()
}

/// The task is cut off without a word: nothing but the agent can end what waits for it.
fn a_task_that_goes_ends_its_clients(lines: &str, walk: &str) {
    let swarm = three_hosts_with(lines);
    for place in [0, 1] {
        // Without a drain time the task goes while its connections are open.
        let (service, task) = echo(&swarm, place, &["--drain", "0s"]);
        let (client, _) = swarm
            .guest(0, BLUE, &format!("client-{place}"))
            .expect("a client");
        let vip = service.vip(0, BLUE).expect("a VIP");
        let mut waiting = Vec::new();
        let counted = Counters::during([&swarm[0]], || {
            for _ in 0..3 {
                waiting.push(task.connect(client.namespace(), vip)?);
            }
            Ok(())
        });
        let [counted] = counted.expect("connections");
        assert!(counted.walk(walk) >= 3, "{counted:?}");
        let datagrams = talk::connected_socket(client.namespace(), vip).expect("a socket");
        let direct = task.connect_directly(client.namespace());
        let (mut direct, _server, _) = direct.expect("a connection");

        let begun = Instant::now();
        task.container.detach(&swarm[place], BLUE).expect("detach");
        for (client, ..) in &waiting {
            let took = ends(client, begun);
            assert!(took < ENDED, "{took:?} for a task on host {place}");
        }
        // Who talked to the container itself has asked for no service.
        direct.set_nonblocking(true).expect("set");
        let error = direct.read(&mut [0]).expect_err("silence");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        if walk == "socket-connected" {
            let error = datagrams.recv(&mut [0; 16]).expect_err("an end");
            assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        }
        service.remove().expect("service rm");
    }
}

#[test]
fn clients_of_a_task_that_is_gone_end_by_their_sockets() {
    a_task_that_goes_ends_its_clients(SOCKETS_ONLY, "socket-connected");
}

#[test]
fn clients_of_a_task_that_is_gone_end_by_their_packets_flows() {
    a_task_that_goes_ends_its_clients(PACKETS_ONLY, "balanced");
}

#[test]
fn names_are_asked_at_the_usual_address() {
    let swarm = three_hosts();
    let (service, _task) = echo(&swarm, 1, &[]);
    let vip = service.vip(0, BLUE).expect("a VIP");
    let (client, _) = client(&swarm, 0);

    let counted = Counters::during([&swarm[0]], || {
        for is_tcp in [false, true] {
            let (answer, from) = talk::ask_name(client.namespace(), "echo", is_tcp)?;
            assert_eq!(from, SocketAddr::from(([127, 0, 0, 11], 53)));
            let IpAddr::V4(vip) = vip.ip() else {
                panic!("{vip}");
            };
            let told = answer.windows(4).any(|word| word == vip.octets());
            assert!(told, "{answer:?}");
        }
        Ok(())
    });

    let [counted] = counted.expect("answers");
    assert_eq!(counted.walk("socket-named"), 2, "{counted:?}");
}

/// By loopback and by own addresses, of tasks here and elsewhere; datagrams too.
#[test]
fn processes_of_the_host_are_told_whom_they_asked() {
    let swarm = three_hosts();
    let ports = ["--publish", "8080:80", "--publish", "8080:80/udp"];
    let (_service, task) = echo(&swarm, 1, &ports);
    let loopback: [IpAddr; 2] = [[127, 0, 0, 1].into(), Ipv6Addr::LOCALHOST.into()];

    for place in [0, 1] {
        let host = swarm[place].namespace();
        let known = interrupt::wait_until(AGREED, || {
            task.connect(host, (loopback[0], 8080).into()).is_ok()
        });
        assert!(
            known.expect("no interruption"),
            "nobody answers on host {place}"
        );
        for address in loopback.into_iter().chain(addresses(&swarm, place)) {
            let to = SocketAddr::new(address, 8080);
            let connected = task.connect(host, to);
            connected.unwrap_or_else(|error| panic!("{to} on host {place}: {error:#}"));
            // A datagram's IPv6 address cannot become an IPv4 one, and nodes are known by theirs.
            let can_be_free = place == 1 || to.is_ipv4();
            let ways = [Way::Connected, Way::Free];
            for way in &ways[..=usize::from(can_be_free)] {
                let exchanged = exchange_datagrams(host, &task, to, *way);
                exchanged.unwrap_or_else(|error| panic!("{to} {way:?} on {place}: {error:#}"));
            }
        }
    }
}

/// A container of the network sees its own address kept at its own node, too.
#[test]
fn containers_reach_published_ports_of_their_own_node_by_datagrams() {
    let swarm = three_hosts();
    let ports = ["--publish", "8080:80", "--publish", "8080:80/udp"];
    let (_service, task) = echo(&swarm, 1, &ports);
    let (client, eth0) = client(&swarm, 0);
    let own_node = SocketAddr::new(addresses(&swarm, 0)[0], 8080);
    let known = interrupt::wait_until(AGREED, || {
        task.connect(client.namespace(), own_node).is_ok()
    });
    assert!(known.expect("no interruption"), "nobody answers");

    for address in addresses(&swarm, 0) {
        let to = SocketAddr::new(address, 8080);
        let (_client, _server, seen) = task.connect(client.namespace(), to).expect("led");
        assert_eq!(seen, own(&eth0, to));
        for way in [Way::Connected, Way::Free] {
            let seen = exchange_datagrams(client.namespace(), &task, to, way).expect("led");
            assert_eq!(seen, own(&eth0, to), "{to} {way:?}");
        }
    }
}
