//! The way out: containers and the world beyond the cluster, containers and their own host.

mod upkeep;

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use overlay_tests::{
    Binaries, Container, Counters, Host, Machine, Namespace, Session, StaticConfig, Underlay,
    cluster::{BLUE, Guest, RED},
    static_config::{Attach, Network, Node},
    traffic::{Fragmentation, Ping, PingCount},
    underlay::Families,
};

use crate::{
    scene::{answers, converse, wire},
    traces::Traces,
};

/// A network that nothing leaves.
const DARK: &str = "dark";

const POOL: &str = "100.127.0.0/16";
const DNS: Ipv4Addr = Ipv4Addr::new(169, 254, 53, 53);

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// A host with an agent, and a machine that knows nothing of it.
struct Scene {
    host: Host,
    outside: Machine,
    own: Machine,
    session: Session,
    _underlay: Underlay,
}

impl Scene {
    fn new() -> Self {
        Self::with(|config| config)
    }

    fn with(change: impl FnOnce(StaticConfig) -> StaticConfig) -> Self {
        let mut scene = Self::idle(change);
        scene.host.start_agent().expect("started");
        scene
    }

    /// The agent does not run yet. Nothing is forwarded: two firewalls of different kinds forbid it, and so does
    /// the kernel.
    fn idle(change: impl FnOnce(StaticConfig) -> StaticConfig) -> Self {
        let session = Session::for_test().expect("a session");
        let underlay =
            Underlay::build(&session, "u", &["a", "x"], wire(Families::Dual)).expect("an underlay");
        let [own, outside] = underlay.machines() else {
            panic!("two machines");
        };
        let (own, outside) = (own.clone(), outside.clone());
        let node = Node::on(&own)
            .blocks(BLUE, &["10.1.0.0/26", "fd00:1::/120"])
            .blocks(RED, &["10.1.0.0/26"])
            .blocks(DARK, &["10.3.0.0/26", "fd00:3::/120"]);
        let networks = vec![
            Network::new(BLUE, 4096, &["10.1.0.0/24", "fd00:1::/64"]),
            Network::new(RED, 4097, &["10.1.0.0/24"]),
            Network::new(DARK, 4098, &["10.3.0.0/24", "fd00:3::/64"]).internal(),
        ];
        let config = StaticConfig::new(vec![node], networks).audit_interval("1h");
        forbid_forwarding(&own.namespace).expect("firewalls");
        let binaries = Binaries::find().expect("binaries");
        let config = change(config);
        let host = Host::prepare(&session, "host", &own, &config, &binaries).expect("a host");
        Self {
            host,
            outside,
            own,
            session,
            _underlay: underlay,
        }
    }

    fn guest(&self, name: &str) -> Guest {
        Guest::new(&self.session, &self.host, name).expect("a container")
    }

    /// A container in another network, or at a chosen address.
    fn container(&self, name: &str, network: &str, options: &[&str]) -> Container {
        let container = Container::new(&self.session, name).expect("a namespace");
        container
            .attach(&self.host, network, options)
            .expect("attached");
        container
    }

    /// What stands for an endpoint in the host, IPv4 first.
    fn transit(&self, name: &str) -> Vec<IpAddr> {
        let found = self.host.overlay_json(&["endpoint", "inspect", name]);
        let found = found.expect("an endpoint");
        let addresses = found[0]["transit"].as_array().expect("transit addresses");
        let addresses = addresses.iter().filter_map(|address| address.as_str());
        addresses
            .map(|address| address.parse().expect("an address"))
            .collect()
    }

    /// Kinds of what an audit repairs. Nothing is left for a second one.
    fn audit(&self) -> Vec<String> {
        let repaired = || {
            let report = self.host.overlay_json(&["audit"]).expect("an audit");
            let list = report["repaired"].as_array().expect("a list").clone();
            let kinds = list
                .iter()
                .map(|repair| repair["kind"].as_str().expect("a kind").to_owned());
            kinds.collect::<Vec<_>>()
        };
        let first = repaired();
        assert_eq!(repaired(), [""; 0], "after {first:?}");
        first
    }

    /// ICMP, TCP and UDP in both families with the machine outside.
    fn talk(&self, namespace: &Namespace) -> Result<()> {
        for address in both(&self.outside) {
            answers(Ping::new(namespace, address)).map(drop)?;
            converse(namespace, &self.outside.namespace, address)?;
        }
        Ok(())
    }
}

fn both(machine: &Machine) -> [IpAddr; 2] {
    let v4 = machine.v4.expect("an IPv4 address");
    let v6 = machine.v6.expect("an IPv6 address");
    [v4.into(), v6.into()]
}

fn forbid_forwarding(namespace: &Namespace) -> Result<()> {
    namespace.sysctl("net.ipv4.ip_forward", "0")?;
    namespace.sysctl("net.ipv6.conf.all.forwarding", "0")?;
    for tool in ["iptables", "ip6tables"] {
        namespace.exec(tool, &["-P", "FORWARD", "DROP"])?;
    }
    nft(namespace, "add table inet theirs")?;
    nft(
        namespace,
        "add chain inet theirs f { type filter hook forward priority filter; policy drop; }",
    )
}

fn nft(namespace: &Namespace, words: &str) -> Result<()> {
    namespace.exec("nft", &[words]).map(drop)
}

fn lost(namespace: &Namespace, to: IpAddr) -> PingCount {
    let ping = Ping {
        count: 1,
        patience: Duration::from_millis(300),
        ..Ping::new(namespace, to)
    };
    ping.run().expect("a ping").count
}

#[test]
fn containers_reach_the_outside_where_nothing_is_forwarded() {
    let scene = Scene::new();
    let guest = scene.guest("one");

    let [counted] = Counters::during([&scene.host], || scene.talk(guest.namespace()))
        .expect("containers reach the outside");

    let walks: Vec<&str> = counted.carried().iter().map(|(walk, _)| *walk).collect();
    assert_eq!(walks, ["from-outside", "outside"], "{counted:?}");
    assert_eq!(counted.losses(), [], "{counted:?}");
}

#[test]
fn containers_reach_the_outside_by_filters_of_a_discipline() {
    let scene = Scene::with(|config| config.attach(Attach::Clsact));
    let guest = scene.guest("one");

    scene.talk(guest.namespace()).expect("reached");

    assert_eq!(scene.audit(), [""; 0]);
}

#[test]
fn bridged_packets_that_pass_iptables_change_nothing() {
    let scene = Scene::new();
    let namespace = scene.host.namespace();
    let knob = "net.bridge.bridge-nf-call-iptables";
    if namespace.exec("sysctl", &["-n", knob]).is_ok() {
        namespace.sysctl(knob, "1").expect("set");
    }
    let guest = scene.guest("one");

    scene.talk(guest.namespace()).expect("reached");
}

#[test]
fn large_packets_are_fragmented_and_put_together() {
    let scene = Scene::new();
    let guest = scene.guest("one");

    for address in both(&scene.outside) {
        // The first one may only teach the sender what fits.
        let ping = |count| Ping {
            count,
            payload: 4000,
            ..Ping::new(guest.namespace(), address)
        };
        ping(1).run().expect("a ping");
        answers(ping(3)).expect("fragments arrive");
    }
    let v4 = both(&scene.outside)[0];
    let allowed = Ping {
        payload: 3000,
        fragmentation: Fragmentation::Allowed,
        ..Ping::new(guest.namespace(), v4)
    };
    answers(allowed).expect("fragments without the bit against them arrive");
}

#[test]
fn the_outside_sees_the_host_and_ports_that_nobody_publishes() {
    let scene = Scene::new();
    let guest = scene.guest("one");

    for (own, outside) in both(&scene.own).into_iter().zip(both(&scene.outside)) {
        let server = listen(&scene.outside.namespace, outside).expect("a server");
        let client = connect(guest.namespace(), None, server.local_addr().unwrap());
        let (_accepted, peer) = server.accept().expect("a client");

        client.expect("connected");
        assert_eq!(peer.ip(), own);
        assert!((61_000..).contains(&peer.port()), "{peer}");
    }
}

#[test]
fn two_tenants_with_one_address_and_port_talk_at_once() {
    let scene = Scene::new();
    let blue = scene.container("blue-one", BLUE, &["--ip", "10.1.0.9"]);
    let red = scene.container("red-one", RED, &["--ip", "10.1.0.9"]);
    let outside = both(&scene.outside)[0];
    let server = listen(&scene.outside.namespace, outside).expect("a server");
    let address = server.local_addr().expect("an address");

    let clients = [(&blue, "blue"), (&red, "red")].map(|(container, word)| {
        let mut client = connect(container.namespace(), Some(40_000), address).expect("connected");
        let (mut accepted, _) = server.accept().expect("a client");
        accepted.set_read_timeout(Some(PATIENCE)).expect("set");
        client.write_all(word.as_bytes()).expect("sent");
        let mut heard = vec![0; word.len()];
        accepted.read_exact(&mut heard).expect("received");
        assert_eq!(heard, word.as_bytes());
        (client, accepted, word)
    });
    // Both connections are open now, and both answers go to one address and port.
    for (mut client, mut accepted, word) in clients {
        accepted.write_all(word.as_bytes()).expect("answered");
        let mut heard = vec![0; word.len()];
        client.read_exact(&mut heard).expect("received");
        assert_eq!(heard, word.as_bytes());
    }
    let udp = |container: &Container| {
        let socket = container
            .namespace()
            .run(|| UdpSocket::bind(("10.1.0.9", 40_001)));
        socket.expect("a thread").expect("a socket")
    };
    let sockets = [udp(&blue), udp(&red)];
    let echo = scene
        .outside
        .namespace
        .run(|| UdpSocket::bind((outside, 5353)));
    let echo = echo.expect("a thread").expect("a socket");
    echo.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut room = [0; 1];
    let mut senders = Vec::new();
    for (number, socket) in (0_u8..).zip(&sockets) {
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        socket.send_to(&[number], (outside, 5353)).expect("sent");
        let (_, sender) = echo.recv_from(&mut room).expect("received");
        senders.push((room[0], sender));
    }
    for (number, sender) in senders {
        echo.send_to(&[number], sender).expect("answered");
        sockets[usize::from(number)]
            .recv_from(&mut room)
            .expect("received");
        assert_eq!(room[0], number);
    }
}

#[test]
fn an_internal_network_has_no_way_out_but_dns() {
    let scene = Scene::with(StaticConfig::without_dns);
    let dark = scene.container("dark-one", DARK, &[]);
    let routes = dark.exec("ip", &["route"]).expect("routes");
    assert!(!routes.contains("default"), "{routes}");
    // As a container with the right to do so can.
    dark.namespace()
        .ip(&["route add default via 10.3.0.1"])
        .expect("a route");
    let [outside, _] = both(&scene.outside);
    let [own, _] = both(&scene.own);

    let [counted] = Counters::during([&scene.host], || {
        ensure!(lost(dark.namespace(), outside).received == 0);
        ensure!(lost(dark.namespace(), own).received == 0);
        ensure!(lost(dark.namespace(), DNS.into()).received == 0);
        Ok(())
    })
    .expect("nothing leaves");

    assert_eq!(counted.losses(), [("internal", 3)], "{counted:?}");
    let [transit, _] = scene.transit("dark-one")[..] else {
        panic!("no transit addresses");
    };
    assert_eq!(lost(scene.host.namespace(), transit).received, 0);
    let server = scene.host.namespace().run(|| UdpSocket::bind((DNS, 53)));
    let server = server.expect("a thread").expect("a socket");
    let client = dark.namespace().run(|| UdpSocket::bind("0.0.0.0:0"));
    let client = client.expect("a thread").expect("a socket");
    for socket in [&server, &client] {
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
    }
    client.send_to(b"?", (DNS, 53)).expect("asked");
    let mut room = [0; 1];
    let (_, asker) = server.recv_from(&mut room).expect("a question");
    assert_eq!(asker.ip(), transit);
    server.send_to(b"!", asker).expect("answered");
    client.recv_from(&mut room).expect("an answer");
    assert_eq!(room, *b"!");
}

#[test]
fn a_host_and_its_containers_reach_each_other() {
    let scene = Scene::new();
    let guest = scene.guest("one");
    let transit = scene.transit("one");
    assert_eq!(transit[0].to_string(), "100.127.0.1");

    for (own, transit) in both(&scene.own).into_iter().zip(transit) {
        answers(Ping::new(scene.host.namespace(), transit))
            .expect("the host reaches the container");
        answers(Ping::new(guest.namespace(), own)).expect("the container reaches the host");
        converse(guest.namespace(), scene.host.namespace(), own).expect("TCP and UDP to the host");
        let inside = guest.eth0.addresses().into_iter();
        let mut inside = inside.filter(|address| address.is_ipv4() == own.is_ipv4());
        let inside = inside.next().expect("an address");
        let server = listen(guest.namespace(), inside).expect("a server");
        let port = server.local_addr().expect("an address").port();
        connect(scene.host.namespace(), None, (transit, port).into())
            .expect("TCP to the container");
    }
}

#[test]
fn nobody_else_uses_transit_addresses() {
    let scene = Scene::new();
    let (one, two) = (scene.guest("one"), scene.guest("two"));
    let transit = scene.transit("two")[0];
    let [own, _] = both(&scene.own);
    let outside = &scene.outside.namespace;
    outside
        .ip(&[
            format!("route add {POOL} via {own}"),
            format!("route add {DNS} via {own}"),
        ])
        .expect("routes");

    assert_eq!(lost(outside, transit).received, 0, "from outside");
    assert_eq!(lost(outside, DNS.into()).received, 0, "DNS from outside");
    let [counted] = Counters::during([&scene.host], || {
        ensure!(lost(one.namespace(), transit).received == 0);
        Ok(())
    })
    .expect("a container does not reach it");
    assert_eq!(counted.drop("transit-destination"), 1, "{counted:?}");

    one.namespace()
        .ip(&[format!("address add {transit}/32 dev eth0")])
        .expect("an address");
    let spoofed = Ping {
        source: Some(transit),
        count: 1,
        ..Ping::new(one.namespace(), both(&scene.outside)[0])
    };
    let [counted] = Counters::during([&scene.host], || {
        ensure!(spoofed.run()?.count.received == 0);
        Ok(())
    })
    .expect("a container does not send from it");
    assert_eq!(counted.drop("spoofed-address"), 1, "{counted:?}");
    drop(two);
}

#[test]
fn a_container_cannot_send_vxlan_in_the_hosts_name() {
    let scene = Scene::new();
    let guest = scene.guest("one");
    let [outside, _] = both(&scene.outside);
    let victim = scene
        .outside
        .namespace
        .run(|| UdpSocket::bind((outside, 4789)));
    let victim = victim.expect("a thread").expect("a socket");
    victim
        .set_read_timeout(Some(Duration::from_millis(300)))
        .expect("set");
    let sender = guest.namespace().run(|| UdpSocket::bind("0.0.0.0:0"));
    let sender = sender.expect("a thread").expect("a socket");

    let [counted] = Counters::during([&scene.host], || {
        sender.send_to(&[8; 100], (outside, 4789))?;
        // In fragments, whose ports the program does not see.
        sender.send_to(&[8; 4000], (outside, 4789))?;
        Ok(())
    })
    .expect("sent");

    assert_eq!(counted.drop("tunnel-port"), 1, "{counted:?}");
    assert!(victim.recv_from(&mut [0; 1]).is_err());
}

#[test]
fn a_sender_learns_of_narrow_paths_and_used_up_hops() {
    let scene = Scene::new();
    let guest = scene.guest("one");
    let [v4, v6] = both(&scene.outside);
    scene
        .host
        .namespace()
        .ip(&[
            format!("route add {v4} dev eth0 mtu 1300"),
            format!("route add {v6} dev eth0 mtu 1300"),
        ])
        .expect("narrow routes");

    for (address, told) in [(v4, "mtu = 1300"), (v6, "mtu=1300")] {
        let ping = Ping {
            count: 2,
            payload: 1372,
            fragmentation: Fragmentation::Forbidden,
            ..Ping::new(guest.namespace(), address)
        };
        let pinged = ping.run().expect("a ping");
        let has_learned = pinged.said.contains(told) || pinged.said.contains("mtu: 1300");
        assert!(has_learned, "{}", pinged.said);
    }
    let gateways = ["10.1.0.1", "fd00:1::1"];
    for (address, gateway) in both(&scene.outside).into_iter().zip(gateways) {
        let text = address.to_string();
        let arguments = ["-n", "-c", "1", "-W", "1", "-t", "1", &text];
        let mut command = guest.namespace().command("ping");
        let said = overlay_tests::process::capture(command.args(arguments))
            .expect("a ping")
            .stdout;
        assert!(
            said.contains(gateway) && said.contains("exceeded"),
            "{said}"
        );
    }
}

#[test]
fn nothing_of_the_way_out_is_left() {
    let mut scene = Scene::idle(|config| config);
    let namespace = scene.host.namespace().clone();
    let state = || {
        let show = |program: &str, words: &[&str]| namespace.exec(program, words).expect("a list");
        [
            show("nft", &["list", "ruleset"]),
            show("ip", &["-o", "address"]).replace("dynamic", ""),
            show("ip", &["route", "show", "table", "all"]),
            show("ip", &["-6", "route", "show", "table", "all"]),
            show("ip", &["rule"]),
            show("ip", &["neighbour", "show", "nud", "permanent"]),
        ]
    };
    let before = (state(), Traces::of(&scene.host).expect("traces"));
    scene.host.start_agent().expect("started");
    let guest = scene.guest("one");
    scene.talk(guest.namespace()).expect("reached");
    assert_ne!(state(), before.0);
    scene.host.stop_agent().expect("stopped");

    let told = scene.host.uninstall().expect("uninstalled");

    assert!(told.contains("nftables table ip overlay"), "{told}");
    assert_eq!((state(), Traces::of(&scene.host).expect("traces")), before);
}

#[test]
fn the_commands_know_the_way_out() {
    let scene = Scene::new();
    let guest = scene.guest("one");
    let _dark = scene.container("dark-one", DARK, &[]);
    let [outside, _] = both(&scene.outside).map(|address| address.to_string());

    let explained = scene
        .host
        .overlay(&["explain", "one", &outside])
        .expect("an explanation");
    assert!(explained.contains("100.127.0.1 stands for"), "{explained}");
    let refused =
        overlay_tests::process::capture(&mut scene.host.cli(&["explain", "dark-one", &outside]));
    let refused = refused.expect("an explanation").stdout;
    assert!(refused.contains("internal"), "{refused}");
    let healthy = scene.host.overlay(&["doctor"]).expect("a diagnosis");
    assert!(healthy.contains("way out"), "{healthy}");
    assert!(healthy.contains("100.127.0.0/16"), "{healthy}");
    scene
        .host
        .namespace()
        .exec("iptables", &["-P", "OUTPUT", "DROP"])
        .expect("a policy");
    let worried = overlay_tests::process::capture(&mut scene.host.cli(&["doctor"]));
    assert!(worried.expect("a diagnosis").stdout.contains("OUTPUT"));
    drop(guest);
}

#[test]
fn the_first_network_keeps_the_default_route() {
    let scene = Scene::new();
    let guest = scene.guest("one");
    guest.attach(&scene.host, DARK, &[]).expect("attached");

    let routes = guest.exec("ip", &["route"]).expect("routes");

    assert_eq!(
        routes.matches("default via 10.1.0.1").count(),
        1,
        "{routes}"
    );
    assert_eq!(routes.matches("default").count(), 1, "{routes}");
    scene.talk(guest.namespace()).expect("reached");
}

fn listen(namespace: &Namespace, address: IpAddr) -> Result<TcpListener> {
    namespace
        .run(|| TcpListener::bind((address, 0)))?
        .context("listening")
}

/// A connection from any address and, if one is given, a port.
fn connect(namespace: &Namespace, port: Option<u16>, to: SocketAddr) -> Result<TcpStream> {
    use std::os::fd::AsRawFd as _;

    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket,
        sockopt::SendTimeout,
    };

    let family = if to.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    let open = || -> Result<TcpStream> {
        let made = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        let limit = nix::sys::time::TimeVal::new(PATIENCE.as_secs().cast_signed(), 0);
        setsockopt(&made, SendTimeout, &limit)?;
        if let Some(port) = port {
            let own: SocketAddr = (Ipv4Addr::UNSPECIFIED, port).into();
            bind(made.as_raw_fd(), &SockaddrStorage::from(own))?;
        }
        connect(made.as_raw_fd(), &SockaddrStorage::from(to))?;
        Ok(TcpStream::from(made))
    };
    let stream = thread::scope(|_| namespace.run(open))?.context("connecting")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}
