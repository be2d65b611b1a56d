//! Sockets that ask for services: where they end up, and what their owners are told.

mod scene;
mod tables;

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use overlay_tests::{Container, Counters, Pair, cluster::RED};

use self::{
    scene::{Talk, VIP, VIP_V6, connected, mapped, pair},
    tables::{EMPTY, Tables},
};
use crate::pinned::{self, Pinned};

const TRANSIT: [u8; 4] = [100, 127, 0, 1];
const NAMES: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const NAME_SERVER: &str = "169.254.53.53:53";

#[test]
fn a_connection_to_a_service_lands_on_its_task_and_nobody_notices() {
    let pair = pair();
    let talk = Talk::of(&pair);

    let counted = Counters::during([&pair.a], || {
        talk.tcp(VIP.into(), pair.two.v4().into())?;
        talk.tcp(VIP_V6.into(), pair.two.v6().into())?;
        talk.tcp(mapped(VIP), pair.two.v4().into())
    });

    let [counted] = counted.expect("all three");
    assert_eq!(counted.walk("socket-connected"), 3, "{counted:?}");
    assert_eq!(counted.losses(), [], "{counted:?}");
}

#[test]
fn datagrams_go_to_the_task_and_come_from_the_service() {
    let pair = pair();
    let talk = Talk::of(&pair);

    let counted = Counters::during([&pair.a], || {
        for is_connected in [false, true] {
            talk.udp(VIP.into(), pair.two.v4().into(), is_connected)?;
            talk.udp(VIP_V6.into(), pair.two.v6().into(), is_connected)?;
            talk.udp(mapped(VIP), pair.two.v4().into(), is_connected)?;
        }
        Ok(())
    });

    let [counted] = counted.expect("all six");
    assert_eq!(counted.walk("socket-connected"), 3, "{counted:?}");
    // Two datagrams of each socket without a connection.
    assert_eq!(counted.walk("socket-sent"), 6, "{counted:?}");
    assert_eq!(counted.losses(), [], "{counted:?}");
}

#[test]
fn a_service_without_tasks_refuses_at_once() {
    let pair = pair();
    Tables::of(&pair.a)
        .answer(VIP.into(), EMPTY)
        .expect("an empty ring");
    let started = Instant::now();

    let counted = Counters::during([&pair.a], || {
        let refused = pair
            .one
            .namespace()
            .run(|| TcpStream::connect((VIP, 80)).unwrap_err())?;
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        Ok(())
    });

    assert!(started.elapsed() < Duration::from_secs(1));
    let [counted] = counted.expect("counters");
    assert_eq!(counted.drop("socket-refused"), 1, "{counted:?}");
}

#[test]
fn a_container_that_is_not_in_the_network_is_left_alone() {
    let pair = pair();
    let stranger = Container::new(pair.session(), "red").expect("a container");
    stranger.attach(&pair.a, RED, &[]).expect("attached");

    let counted = Counters::during([&pair.a, &pair.b], || {
        for namespace in [stranger.namespace(), pair.a.namespace()] {
            let address = SocketAddr::new(VIP.into(), 80);
            let limit = Duration::from_millis(200);
            let connected = namespace.run(|| TcpStream::connect_timeout(&address, limit))?;
            assert!(connected.is_err(), "{connected:?}");
        }
        Ok(())
    });

    for counted in counted.expect("counters") {
        assert_eq!(counted.walk("socket-connected"), 0, "{counted:?}");
    }
}

#[test]
fn two_agents_of_one_kernel_do_not_meet() {
    let mut pair = pair();
    // The same address leads the other way on the other host.
    Tables::of(&pair.b)
        .serve(1, VIP.into(), pair.one.v4().into())
        .expect("a service");
    let there = Talk::of(&pair);
    let back = Talk {
        client: pair.two.namespace(),
        server: pair.one.namespace(),
        client_v4: pair.two.v4(),
        client_v6: pair.two.v6(),
    };

    let counted = Counters::during([&pair.a, &pair.b], || {
        there.tcp(VIP.into(), pair.two.v4().into())?;
        back.tcp(VIP.into(), pair.one.v4().into())
    });

    for counted in counted.expect("both") {
        assert_eq!(counted.walk("socket-connected"), 1, "{counted:?}");
    }
    pair.b.stop_agent().expect("stopped");
    pair.b.uninstall().expect("uninstalled");

    // The task went with its host; the socket is led to it all the same.
    let counted = Counters::during([&pair.a], || {
        let address = SocketAddr::new(VIP.into(), 80);
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
        drop(pair.one.namespace().run(connect)?);
        Ok(())
    });
    let [counted] = counted.expect("counters");
    assert_eq!(counted.walk("socket-connected"), 1, "{counted:?}");
}

#[test]
fn connections_go_on_and_begin_without_an_agent() {
    let mut pair = pair();
    let (mut client, mut server) = connected(&Talk::of(&pair), VIP.into(), pair.two.v4().into());
    let vip = client.peer_addr().expect("a peer");

    pair.a.kill_agent().expect("killed");
    Talk::of(&pair)
        .tcp(VIP.into(), pair.two.v4().into())
        .expect("without an agent");
    pair.a.start_agent().expect("started again");

    assert_eq!(client.peer_addr().expect("a peer"), vip);
    client.write_all(b"still here").expect("written");
    server.read_exact(&mut [0; 10]).expect("read");
    Talk::of(&pair)
        .tcp(VIP.into(), pair.two.v4().into())
        .expect("with the next agent");
}

#[test]
fn sockets_are_left_alone_where_that_is_configured() {
    let mut pair = Pair::with(|config| config.socket_lb(false)).expect("a pair");
    scene::serve(&pair);
    let pinned = Pinned::of(&pair.a);
    assert!(pinned.links("sock_").expect("links").is_empty());
    let status = pair.a.status().expect("a status");
    assert_eq!(status["balancing"]["sockets"], false);

    let counted = Counters::during([&pair.a], || {
        let address = SocketAddr::new(VIP.into(), 80);
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
        drop(pair.one.namespace().run(connect)?);
        Ok(())
    });
    let [counted] = counted.expect("counters");
    assert_eq!(counted.walk("socket-connected"), 0, "{counted:?}");

    // And the other way round.
    let on = overlay_tests::cluster::config(pair.machines());
    pair.a
        .write_config(&on.clone().socket_lb(true))
        .expect("written");
    pair.a.restart_agent().expect("restarted");
    assert_eq!(pinned.links("sock_").expect("links").len(), 8);
    Talk::of(&pair)
        .tcp(VIP.into(), pair.two.v4().into())
        .expect("by its socket");
    pair.a.write_config(&on.socket_lb(false)).expect("written");
    pair.a.restart_agent().expect("restarted");
    assert!(pinned.links("sock_").expect("links").is_empty());
}

#[test]
fn a_detached_program_and_a_lost_namespace_are_found_and_restored() {
    let pair = pair();
    let pinned = Pinned::of(&pair.a);
    let links = pinned.links("sock_connect4").expect("links");
    let namespaces = pinned.entries("NAMESPACE").expect("entries");
    // The host's own, and that of its container.
    assert_eq!(namespaces.len(), 2, "{namespaces:?}");
    let detach = || pinned::detach_link(&links[0]).expect("detached");
    let unpin = || std::fs::remove_file(&links[0]).expect("removed");
    let forget = || {
        for entry in &namespaces {
            let deleted = pinned.delete("NAMESPACE", &entry.key);
            deleted.expect("deleted");
        }
    };
    let injuries: [(&dyn Fn(), usize); 3] = [(&detach, 1), (&unpin, 1), (&forget, 2)];

    for (injure, repairs) in injuries {
        injure();
        let report = pair.a.overlay_json(&["audit"]).expect("audited");

        let repaired = report["repaired"].as_array().map(Vec::len);
        assert_eq!(repaired, Some(repairs), "{report}");
        assert_eq!(pinned.links("sock_connect4").expect("links"), links);
        assert_eq!(pinned.entries("NAMESPACE").expect("entries"), namespaces);
        Talk::of(&pair)
            .tcp(VIP.into(), pair.two.v4().into())
            .expect("by its socket");
    }
}

#[test]
fn names_are_asked_of_the_node_at_the_usual_address() {
    let pair = pair();
    Tables::of(&pair.a).open_way_out().expect("a way out");
    let container = pair.one.namespace();
    container
        .ip(&["address add 169.254.53.53/32 dev lo"])
        .expect("a stand-in for the node");

    let counted = Counters::during([&pair.a], || {
        scene::ask_names(container, NAMES, NAME_SERVER)
    });

    let [counted] = counted.expect("an answer");
    assert_eq!(counted.walk("socket-named"), 2, "{counted:?}");
}

#[test]
fn a_process_of_the_host_reaches_published_ports_by_its_own_addresses() {
    let pair = pair();
    let tables = Tables::of(&pair.a);
    tables.stand_in(TRANSIT).expect("a transit address");
    let here = tables.ring(7, pair.one.v4().into(), 0).expect("a ring");
    let (peer, remote) = tables.peer().expect("a peer");
    let far = tables.ring(8, pair.two.v4().into(), peer).expect("a ring");
    tables.publish(8080, 80, [far, here]).expect("a local port");
    tables.publish(8081, 80, [far, EMPTY]).expect("a far port");
    tables
        .publish(8082, 80, [EMPTY, EMPTY])
        .expect("a port of nobody");
    let host = pair.a.namespace();
    host.ip(&["link set lo up", "address add 100.127.0.1/32 dev lo"])
        .expect("a stand-in for the task");
    let near = host.run(|| TcpListener::bind((Ipv4Addr::from(TRANSIT), 80)));
    let near = near.expect("entered").expect("listening");
    let other = pair.b.namespace().run(|| TcpListener::bind((remote, 8081)));
    let other = other.expect("entered").expect("listening");

    let counted = Counters::during([&pair.a], || {
        for (address, port, listener) in [
            ("127.0.0.1", 8080, &near),
            ("::1", 8080, &near),
            ("127.0.0.1", 8081, &other),
        ] {
            let wished = SocketAddr::new(address.parse::<IpAddr>()?, port);
            let client = host.run(|| TcpStream::connect(wished))??;
            listener.accept()?;
            assert_eq!(client.peer_addr()?, wished);
        }
        let refused = host.run(|| TcpStream::connect(("127.0.0.1", 8082)))?;
        assert_eq!(
            refused.map_err(|error| error.kind()).err(),
            Some(ErrorKind::ConnectionRefused)
        );
        Ok(())
    });

    let [counted] = counted.expect("connections");
    assert_eq!(counted.walk("socket-published"), 3, "{counted:?}");
    assert_eq!(counted.drop("socket-refused"), 1, "{counted:?}");
}
