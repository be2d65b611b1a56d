//! Ports that an endpoint publishes itself, asked by a client that is no part of the cluster.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use overlay_tests::{
    Binaries, Container, Host, Namespace, Session, Underlay, Wiring,
    cluster::{self, BLUE},
    underlay::{Families, Shape},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// More than any window, so that both sides send aggregates.
const MUCH: usize = 3_000_000;

/// A host with a container that publishes ports, and a client beside it.
struct Scene {
    host: Host,
    web: Container,
    client: Namespace,
    /// The host's addresses, each with the client's of that family.
    addresses: Vec<(IpAddr, IpAddr)>,
    _underlay: Underlay,
    _session: Session,
}

impl Scene {
    fn new() -> Result<Self> {
        let session = Session::for_test()?;
        let wiring = Wiring {
            families: Families::Dual,
            shape: Shape::Switch,
            ..Wiring::default()
        };
        let underlay = Underlay::build(&session, "u", &["a", "client"], wiring)?;
        let [a, client] = underlay.machines() else {
            panic!("two machines")
        };
        let config = cluster::config(&underlay.machines()[..1]);
        let host = Host::start(&session, "host", a, &config, &Binaries::find()?)?;
        let v4 = a.v4.zip(client.v4);
        let v6 = a.v6.zip(client.v6);
        let v4 = v4.map(|(node, client)| (IpAddr::V4(node), IpAddr::V4(client)));
        let v6 = v6.map(|(node, client)| (IpAddr::V6(node), IpAddr::V6(client)));
        Ok(Self {
            web: Container::new(&session, "web")?,
            client: client.namespace.clone(),
            addresses: v4.into_iter().chain(v6).collect(),
            host,
            _underlay: underlay,
            _session: session,
        })
    }

    /// Attaches the container with these ports, and gives it a way out.
    fn attach(&self, ports: &[&str]) -> Result<String> {
        let netns = self.web.namespace().path().display().to_string();
        let mut arguments = vec!["attach", "--netns", &netns, "--network", BLUE];
        arguments.extend(["--name", "web"]);
        for port in ports {
            arguments.extend(["--publish", port]);
        }
        let attached = self.host.overlay(&arguments)?;
        self.web.namespace().ip(&[
            "route replace default via 10.1.0.1",
            "route replace default via fd00:1::1 dev eth0",
        ])?;
        Ok(attached)
    }

    fn connect(&self, node: IpAddr, port: u16) -> Result<TcpStream> {
        let address = SocketAddr::new(node, port);
        let connected = self
            .client
            .run(|| TcpStream::connect_timeout(&address, PATIENCE))?;
        let stream = connected.with_context(|| format!("connecting to {address}"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// Sends much to a published port and gets it back; the server sees the client.
    fn exchange(&self, node: IpAddr, client: IpAddr, (port, target): (u16, u16)) -> Result<()> {
        let listening = SocketAddr::new(IpAddr::from([0_u16; 8]), target);
        let listener = self
            .web
            .namespace()
            .run(|| TcpListener::bind(listening))??;
        let server = thread::spawn(move || -> Result<IpAddr> {
            let (mut stream, peer) = listener.accept()?;
            let mut received = vec![0; MUCH];
            stream.read_exact(&mut received)?;
            stream.write_all(&received)?;
            Ok(peer.ip().to_canonical())
        });
        let mut stream = self.connect(node, port)?;
        let sent: Vec<u8> = (0..MUCH).map(|at| (at * 31 % 251) as u8).collect();
        stream.write_all(&sent)?;
        let mut received = vec![0; MUCH];
        stream.read_exact(&mut received)?;
        ensure!(received == sent, "the answer is another");
        let seen = server.join().expect("no panic")?;
        ensure!(seen == client, "the server saw {seen}, not {client}");
        Ok(())
    }

    /// One question and its answer by UDP.
    fn ask(&self, node: IpAddr, client: IpAddr, (port, target): (u16, u16)) -> Result<()> {
        let any = IpAddr::from([0_u16; 8]);
        let bind = |port| move || UdpSocket::bind(SocketAddr::new(any, port));
        let server = self.web.namespace().run(bind(target))??;
        server.set_read_timeout(Some(PATIENCE))?;
        let asker = self.client.run(bind(0))??;
        asker.set_read_timeout(Some(PATIENCE))?;
        let to = match node {
            IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()),
            v6 @ IpAddr::V6(_) => v6,
        };
        asker.send_to(b"question", (to, port))?;
        let mut buffer = [0; 64];
        let (_, from) = server.recv_from(&mut buffer)?;
        ensure!(from.ip().to_canonical() == client, "asked by {from}");
        server.send_to(b"answer", from)?;
        let (length, from) = asker.recv_from(&mut buffer)?;
        ensure!(&buffer[..length] == b"answer", "another answer");
        let heard = (from.ip().to_canonical(), from.port());
        ensure!(heard == (node, port), "answered by {from}");
        Ok(())
    }
}

#[test]
fn a_client_reaches_a_container_by_its_nodes_ports() {
    let mut scene = Scene::new().expect("a scene");
    scene
        .attach(&["8080:80", "5353:53/udp", "9000-9001:90-91"])
        .expect("attached");
    let all = |scene: &Scene| {
        for (node, client) in scene.addresses.clone() {
            for ports in [(8080, 80), (9001, 91)] {
                let exchanged = scene.exchange(node, client, ports);
                exchanged.unwrap_or_else(|error| panic!("{node} {ports:?}: {error:#}"));
            }
            let asked = scene.ask(node, client, (5353, 53));
            asked.unwrap_or_else(|error| panic!("{node}: {error:#}"));
        }
    };
    all(&scene);

    scene.host.kill_agent().expect("killed");
    all(&scene);
    scene.host.start_agent().expect("started");
    all(&scene);

    let shown = scene.host.overlay(&["endpoint", "inspect", "web"]);
    assert!(shown.expect("shown").contains("9001"));
    scene.host.overlay(&["detach", "web"]).expect("detached");
    let (node, _) = scene.addresses[0];
    let refused = scene.connect(node, 8080).unwrap_err();
    assert!(format!("{refused:#}").contains("refused"), "{refused:#}");
}

#[test]
fn a_port_that_somebody_has_is_refused_with_the_holders_name() {
    let scene = Scene::new().expect("a scene");
    let listener = scene
        .host
        .namespace()
        .run(|| TcpListener::bind("[::]:8080"));
    let listener = listener.expect("inside").expect("a listener");

    let error = scene.attach(&["8080:80"]).unwrap_err();

    let error = format!("{error:#}");
    let holder = format!("taken by process {}", std::process::id());
    assert!(error.contains(&holder), "{error}");
    drop(listener);
    scene.attach(&["8080:80"]).expect("attached");
    let taken = scene
        .host
        .namespace()
        .run(|| TcpListener::bind("0.0.0.0:8080"));
    let taken = taken.expect("inside").unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn a_port_may_be_bound_to_one_address_and_chosen_freely() {
    let scene = Scene::new().expect("a scene");
    let (node, client) = scene.addresses[0];
    scene
        .attach(&[&format!("{node}:8080:80"), "81"])
        .expect("attached");
    let shown = scene.host.overlay_json(&["endpoint", "inspect", "web"]);
    let shown = shown.expect("shown");
    let chosen = shown[0]["ports"][1]["published"].as_u64().expect("a port");
    assert!((32_768..61_000).contains(&chosen), "{shown}");

    let bound = scene.exchange(node, client, (8080, 80));
    let free = scene.exchange(node, client, (chosen as u16, 81));

    bound.expect("by its address");
    free.expect("by the chosen port");
    let (other, _) = scene.addresses[1];
    let refused = scene.connect(other, 8080).unwrap_err();
    assert!(format!("{refused:#}").contains("refused"), "{refused:#}");
}
