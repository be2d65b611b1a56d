//! Published ports: which are refused, and who has what.

use std::{
    net::{Ipv4Addr, TcpListener, UdpSocket},
    time::Duration,
};

use overlay_tests::{
    Binaries, Container, Host, Service, Session, StaticConfig, Underlay, Wiring,
    service::{UdpTask, await_service, published, refusal},
    static_config::{Network, Node},
    traffic::{Carrier, Target, UdpServer},
};

use crate::scene::{BLUE, OUTSIDE, three_hosts, web};

#[test]
fn a_port_in_use_is_refused_with_its_holder() {
    let swarm = three_hosts();
    let held = swarm[1].namespace().run(|| {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080));
        listener.expect("a free port")
    });
    let held = held.expect("the host's namespace");
    let run = [
        "run",
        "--network",
        BLUE,
        "-p",
        "8080:80",
        "--",
        "sleep",
        "60",
    ];

    let refused = refusal(&swarm[1], &run).expect("a refusal");

    assert!(refused.contains("8080"), "{refused}");
    let name = std::fs::read_to_string("/proc/self/comm").expect("a name");
    assert!(refused.contains(name.trim()), "{refused}");
    drop(held);
}

#[test]
fn a_port_that_another_service_has_is_refused_with_its_name() {
    let swarm = three_hosts();
    let _service = web(&swarm, &["--publish", "8080:80"], &[0]);
    let create = |options: &[&str]| {
        let mut arguments = vec!["service", "create", "--name", "other", "--network", BLUE];
        arguments.extend(options);
        refusal(&swarm[0], &arguments).expect("a refusal")
    };

    let refused = create(&["--publish", "8080:81"]);

    assert!(
        refused.contains("8080") && refused.contains("web"),
        "{refused}"
    );
    for wrong in ["65536:80", "8080:0", "80:80/icmp", "80-81:80"] {
        let refused = create(&["--publish", wrong]);
        assert!(refused.contains(wrong), "{wrong}: {refused}");
    }
    swarm[0]
        .overlay(&[
            "service",
            "create",
            "--name",
            "other",
            "--network",
            BLUE,
            "--publish",
            "8080:80/udp",
        ])
        .expect("another protocol is another port");
}

#[test]
fn a_port_that_nobody_chose_is_one_from_30000_on() {
    let swarm = three_hosts();
    let publish = ["80", "0:80/udp", "8000-8001:80-81"];
    let options: Vec<&str> = publish
        .iter()
        .flat_map(|port| ["--publish", *port])
        .collect();
    let service = web(&swarm, &options, &[2]);
    let ports = || swarm[0].overlay(&["service", "ls"]).expect("service ls");

    let listed = ports();
    for port in [
        "30000->80/tcp",
        "30000->80/udp",
        "8000->80/tcp",
        "8001->81/tcp",
    ] {
        assert!(listed.contains(port), "no {port} in {listed}");
    }
    for port in [30_000, 8000] {
        let target = Target::http(swarm[OUTSIDE].namespace(), published(&swarm[0], port));
        await_service(&target).expect("an answer");
    }
    service.update(&["--publish-rm", "80"]).expect("an update");
    let listed = ports();
    assert!(!listed.contains("->80/tcp"), "{listed}");
    assert!(listed.contains("8001->81/tcp"), "{listed}");
}

#[test]
fn one_port_leads_to_one_service_by_tcp_and_to_another_by_udp() {
    let swarm = three_hosts();
    let _web = web(&swarm, &["--publish", "8080:80"], &[1]);
    let echo = Service::create(
        &swarm,
        "echo",
        &["--network", BLUE, "--publish", "8080:80/udp"],
    )
    .expect("service create");
    let _task = UdpTask::start(&swarm, 2, BLUE, echo.name(), "echo.1").expect("a task");
    let outside = swarm[OUTSIDE].namespace();

    for place in 0..3 {
        let to = published(&swarm[place], 8080);
        for (target, server) in [
            (Target::http(outside, to), "web.1"),
            (Target::udp(outside, to, Carrier::Udp), "echo.1"),
        ] {
            await_service(&target).expect("an answer");
            let record = target.ask_often(5).expect("requests");
            assert_eq!(record.answers().get(server), Some(&5), "{record:?}");
        }
    }
}

/// Networks of one swarm never overlap, those of a file may.
fn tenants(underlay: &Underlay) -> StaticConfig {
    let blocks = ["10.1.1.0/24"];
    let subnets = ["10.1.0.0/16"];
    let node = Node::on(&underlay.machines()[0])
        .blocks("left", &blocks)
        .blocks("right", &blocks);
    let networks = vec![
        Network::new("left", 4096, &subnets),
        Network::new("right", 4097, &subnets),
    ];
    StaticConfig::new(vec![node], networks)
}

/// The same address, the same source port, the same server outside, at the same time: each gets its own answers.
#[test]
fn two_tenants_with_one_address_are_outside_at_once() {
    let session = Session::for_test().expect("a session");
    let underlay = Underlay::build(&session, "u", &["a", "x"], Wiring::direct());
    let underlay = underlay.expect("an underlay");
    let [a, x] = underlay.machines() else {
        panic!("two machines");
    };
    let binaries = Binaries::find().expect("programs");
    let host = Host::start(&session, "host", a, &tenants(&underlay), &binaries);
    let host = host.expect("a host");
    let server = UdpServer::start(&x.namespace, 5300, "outside").expect("a server");
    let to = (x.address(), 5300);
    let open = |network: &str| {
        let tenant = Container::new(&session, network).expect("a container");
        let wish = ["--ip", "10.1.1.9"];
        tenant.attach(&host, network, &wish).expect("attach");
        let socket = tenant.namespace().run(|| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 40_000))?;
            socket.set_read_timeout(Some(Duration::from_secs(2)))?;
            socket.connect(to)?;
            Ok::<_, std::io::Error>(socket)
        });
        (tenant, socket.expect("a namespace").expect("a socket"))
    };
    let (_left, of_left) = open("left");
    let (_right, of_right) = open("right");

    for number in 0..100u8 {
        let questions = [
            (&of_left, [b'l', 0, 0, number]),
            (&of_right, [b'r', 0, 0, number]),
        ];
        for (socket, question) in questions {
            socket.send(&question).expect("a question");
        }
        for (socket, question) in questions {
            let mut answer = [0; 64];
            let length = socket.recv(&mut answer).expect("an answer");
            assert_eq!(answer[..4], question, "{:?}", &answer[..length]);
        }
    }
    let seen = server.clients();
    assert_eq!(seen.len(), 200);
    assert!(
        seen.iter().all(|client| client.ip() == a.address()),
        "masqueraded: {seen:?}"
    );
}

#[test]
fn a_port_of_mode_host_answers_where_its_tasks_are_alone() {
    let swarm = three_hosts();
    let publish = "published=8080,target=80,mode=host";
    let _service = web(&swarm, &["--publish", publish], &[1]);
    let outside = swarm[OUTSIDE].namespace();

    let there = Target::http(outside, published(&swarm[1], 8080));
    await_service(&there).expect("an answer");
    let elsewhere = Target::http(outside, published(&swarm[0], 8080));

    let record = elsewhere.ask_often(5).expect("requests");
    assert_eq!(record.answers().len(), 0, "{record:?}");
}
