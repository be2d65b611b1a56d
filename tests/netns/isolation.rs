//! Networks share nothing, and strangers have no part in them.

use std::{
    io::ErrorKind,
    net::{IpAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context as _, Result};
use overlay_tests::{
    Binaries, Container, Counters, Host, KernelHost, Namespace, Session, StaticConfig, Underlay,
    Wiring,
    cluster::{self, Guest},
    kernel_vxlan::KernelNetwork,
    link,
    static_config::{Network, Node},
    traffic::Ping,
};

use crate::scene::converse;

/// Two networks that have everything in common but their names and numbers.
const NETWORKS: [&str; 2] = ["blue", "green"];

/// How long is waited for what must not come.
const SILENCE: Duration = Duration::from_millis(200);

/// Hosts `a` and `b`, and on each of them for each network one container, all with the first free address.
struct Twins {
    /// By network: on `a`, on `b`.
    containers: Vec<[Member; 2]>,
    a: Host,
    b: Host,
    _underlay: Underlay,
    session: Session,
}

struct Member {
    container: Container,
    addresses: Vec<IpAddr>,
}

impl Member {
    fn new(session: &Session, host: &Host, network: &str) -> Self {
        let name = format!("{network}-{}", host.name());
        let container = Container::new(session, &name).expect("a container");
        let attached = container.attach(host, network, &[]).expect("attached");
        Self {
            container,
            addresses: attached.addresses(),
        }
    }

    fn namespace(&self) -> &Namespace {
        self.container.namespace()
    }
}

impl Twins {
    fn new() -> Self {
        let session = Session::for_test().expect("a session");
        let underlay =
            Underlay::build(&session, "u", &["a", "b"], Wiring::direct()).expect("an underlay");
        let config = config(&underlay);
        let binaries = Binaries::find().expect("binaries");
        let hosts = underlay.machines().iter();
        let hosts = hosts.map(|machine| Host::start(&session, "host", machine, &config, &binaries));
        let mut hosts = hosts.map(|host| host.expect("a host"));
        let (a, b) = (hosts.next().expect("a"), hosts.next().expect("b"));
        let containers = NETWORKS
            .map(|network| [&a, &b].map(|host| Member::new(&session, host, network)))
            .into();
        Self {
            containers,
            a,
            b,
            _underlay: underlay,
            session,
        }
    }
}

fn config(underlay: &Underlay) -> StaticConfig {
    let nodes = underlay
        .machines()
        .iter()
        .zip(["10.1.0.0/25", "10.1.0.128/25"]);
    let nodes = nodes.zip(["fd00:1::/112", "fd00:1::1:0/112"]);
    let nodes = nodes.map(|((machine, v4), v6)| {
        NETWORKS.iter().fold(Node::on(machine), |node, network| {
            node.blocks(network, &[v4, v6])
        })
    });
    let networks = (4096..).zip(NETWORKS);
    let networks =
        networks.map(|(vni, name)| Network::new(name, vni, &["10.1.0.0/24", "fd00:1::/64"]));
    StaticConfig::new(nodes.collect(), networks.collect()).audit_interval("1h")
}

#[test]
fn networks_with_the_same_addresses_work_side_by_side() {
    let twins = Twins::new();
    let [blue, green] = &twins.containers[..] else {
        panic!("two networks")
    };
    assert_eq!(blue[0].addresses, green[0].addresses);
    assert_eq!(blue[1].addresses, green[1].addresses);

    for [near, far] in &twins.containers {
        for &address in &far.addresses {
            converse(near.namespace(), far.namespace(), address).expect("a talk");
        }
        for &address in &near.addresses {
            converse(far.namespace(), near.namespace(), address).expect("a talk back");
        }
    }
}

#[test]
fn a_datagram_reaches_its_own_network_only() {
    let twins = Twins::new();
    for place in 0..twins.containers[0][1].addresses.len() {
        let address = twins.containers[0][1].addresses[place];
        let servers: Vec<UdpSocket> = twins
            .containers
            .iter()
            .map(|[_, far]| listen(far.namespace(), address).expect("a server"))
            .collect();

        for (network, [near, _]) in NETWORKS.iter().zip(&twins.containers) {
            tell(near.namespace(), address, network.as_bytes()).expect("a datagram");
        }

        for (network, server) in NETWORKS.iter().zip(&servers) {
            assert_eq!(heard(server).expect("a datagram"), [network.as_bytes()]);
        }
    }
}

const PORT: u16 = 7000;

fn listen(namespace: &Namespace, address: IpAddr) -> Result<UdpSocket> {
    let socket = namespace.run(|| UdpSocket::bind((address, PORT)))??;
    socket.set_read_timeout(Some(SILENCE))?;
    Ok(socket)
}

fn tell(namespace: &Namespace, to: IpAddr, what: &[u8]) -> Result<()> {
    let any: IpAddr = if to.is_ipv4() {
        [0; 4].into()
    } else {
        [0; 16].into()
    };
    let socket = namespace.run(|| UdpSocket::bind((any, 0)))??;
    socket.send_to(what, (to, PORT)).context("sending")?;
    Ok(())
}

/// Everything that arrives until nothing does any more.
fn heard(socket: &UdpSocket) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    loop {
        let mut room = [0; 64];
        match socket.recv(&mut room) {
            Ok(length) => all.push(room[..length].to_vec()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(all),
            Err(error) => return Err(error.into()),
        }
    }
}

#[test]
fn an_address_that_only_another_network_has_does_not_answer() {
    let twins = Twins::new();
    let [[blue, _], [_, green_far]] = &twins.containers[..] else {
        panic!("two networks")
    };
    for (host, only_green) in [(&twins.a, "10.1.0.100"), (&twins.b, "10.1.0.200")] {
        let name = format!("only-{}", host.name());
        let container = Container::new(&twins.session, &name).expect("a container");
        container
            .attach(host, "green", &["--ip", only_green])
            .expect("attached");
        let address: IpAddr = only_green.parse().expect("an address");
        assert!(answered(green_far.namespace(), address));
        let before = link::received(container.namespace(), "eth0").expect("a count");

        let counted = Counters::during([&twins.a, &twins.b], || {
            assert!(!answered(blue.namespace(), address));
            Ok(())
        })
        .expect("counters");

        let after = link::received(container.namespace(), "eth0").expect("a count");
        assert_eq!(before, after, "{only_green} heard something");
        let lost: u64 = counted.iter().map(losses).sum();
        assert!(lost > 0, "{counted:?}");
    }
}

fn answered(from: &Namespace, to: IpAddr) -> bool {
    let ping = Ping {
        patience: SILENCE,
        ..Ping::new(from, to)
    };
    ping.run().expect("a count").count.is_complete()
}

fn losses(counted: &Counters) -> u64 {
    ["no-neighbour", "no-route", "no-endpoint"]
        .map(|reason| counted.drop(reason))
        .iter()
        .sum()
}

#[test]
fn a_host_that_is_no_node_reaches_nobody() {
    let session = Session::for_test().expect("a session");
    let underlay =
        Underlay::build(&session, "u", &["a", "stranger"], Wiring::direct()).expect("an underlay");
    let [a, stranger] = underlay.machines() else {
        panic!("two machines")
    };
    let config = cluster::config(std::slice::from_ref(a));
    let binaries = Binaries::find().expect("binaries");
    let host = Host::start(&session, "host", a, &config, &binaries).expect("a host");
    let guest = Guest::new(&session, &host, "one").expect("a container");
    let network = KernelNetwork {
        vni: 4096,
        port: 4789,
        underlay_mtu: 1500,
    };
    let mut stranger = KernelHost::new(stranger, network).expect("a kernel host");
    let intruder: IpAddr = [10, 1, 0, 200].into();
    let intruder = stranger
        .container(&session, "intruder", &[(intruder, 24)])
        .expect("a container");
    stranger
        .add_remote(guest.v4().into(), &guest.eth0.link.mac, a.address())
        .expect("entries");
    let before = link::received(guest.namespace(), "eth0").expect("a count");

    let [counted] = Counters::during([&host], || {
        assert!(!answered(&intruder.namespace, guest.v4().into()));
        Ok(())
    })
    .expect("counters");

    assert!(counted.drop("unknown-peer") >= 3, "{counted:?}");
    assert_eq!(counted.carried(), [], "{counted:?}");
    let after = link::received(guest.namespace(), "eth0").expect("a count");
    assert_eq!(before, after);
}
