//! A host with the agent and a host with the kernel's own bridge and vxlan device, as equals.

use std::net::IpAddr;

use anyhow::Result;
use overlay_tests::{
    Binaries, Counters, Host, KernelHost, Namespace, Session, StaticConfig, Underlay,
    cluster::{self, BLUE, Guest},
    kernel_vxlan::{KernelContainer, KernelNetwork, mac_of_v4},
    static_config::{Encap, Node},
    traffic::{Exchange, Ping},
    underlay::Families,
};

use crate::scene::{addresses, answers, wire};

const NETWORK: KernelNetwork = KernelNetwork {
    vni: 4096,
    port: 4789,
    underlay_mtu: 1500,
};

/// The addresses of the container on the kernel's host.
const ALIEN_V4: [u8; 4] = [10, 1, 0, 200];
const ALIEN_V6: [u16; 8] = [0xfd00, 1, 0, 0, 0, 0, 0, 0xc00];

/// ICMP payloads around what the protocol, a small and a full packet can hold, and of several packets.
const PINGS: [u32; 10] = [1, 7, 8, 56, 512, 1372, 1399, 1400, 8000, 60_000];

/// Bytes of a message that takes more than one packet.
const LARGE: [usize; 2] = [8000, 60_000];

/// How the kernel's host finds the agent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    Entries,
    Flood,
}

/// The container `one` on a host with the agent, and one on the kernel's host.
struct Scene {
    one: Guest,
    alien: KernelContainer,
    host: Host,
    _kernel_host: KernelHost,
    _underlay: Underlay,
    _session: Session,
}

impl Scene {
    fn new(families: Families, encap: Encap, search: Search) -> Self {
        let session = Session::for_test().expect("a session");
        let underlay =
            Underlay::build(&session, "u", &["a", "k"], wire(families)).expect("an underlay");
        let [a, k] = underlay.machines() else {
            panic!("two machines")
        };
        let config = config(&underlay).encap(encap);
        let binaries = Binaries::find().expect("binaries");
        let host = Host::start(&session, "host", a, &config, &binaries).expect("a host");
        let one = Guest::new(&session, &host, "one").expect("a container");

        let made = match search {
            Search::Entries => KernelHost::new(k, NETWORK),
            Search::Flood => KernelHost::flooding(k, NETWORK, &[a.address()]),
        };
        let mut kernel_host = made.expect("a kernel host");
        let alien = kernel_host
            .container(
                &session,
                "alien",
                &[(ALIEN_V4.into(), 23), (ALIEN_V6.into(), 64)],
            )
            .expect("a container");
        if search == Search::Entries {
            for address in addresses(&one) {
                kernel_host
                    .add_remote(address, &one.eth0.link.mac, a.address())
                    .expect("entries");
            }
        }
        Self {
            one,
            alien,
            host,
            _kernel_host: kernel_host,
            _underlay: underlay,
            _session: session,
        }
    }

    /// Both directions: client, server, and the server's addresses.
    fn directions(&self) -> [(&Namespace, &Namespace, Vec<IpAddr>); 2] {
        let (one, alien) = (self.one.namespace(), &self.alien.namespace);
        [
            (one, alien, self.alien.addresses.clone()),
            (alien, one, addresses(&self.one).into()),
        ]
    }

    /// Everything of every size, both ways; returns what the agent's host counted.
    fn exchange_all(&self) -> Counters {
        let [counted] =
            Counters::during([&self.host], || self.try_exchange_all()).expect("an exchange");
        counted
    }

    fn try_exchange_all(&self) -> Result<()> {
        let lengths: Vec<usize> = (1..=1400).chain(LARGE).collect();
        for (client, server, addresses) in self.directions() {
            for address in addresses {
                for payload in PINGS {
                    let ping = Ping {
                        count: 2,
                        payload,
                        ..Ping::new(client, address)
                    };
                    answers(ping)?;
                }
                let exchange = Exchange {
                    client,
                    server,
                    address,
                };
                exchange.tcp(&lengths)?;
                exchange.udp(&lengths)?;
            }
        }
        Ok(())
    }
}

/// The second machine has no agent; what is on it is known by its entries.
fn config(underlay: &Underlay) -> StaticConfig {
    let [a, k] = underlay.machines() else {
        panic!("two machines")
    };
    let mut nodes = cluster::nodes(std::slice::from_ref(a));
    let mac = mac_of_v4(ALIEN_V4.into());
    let alien = Node::on(k)
        .endpoint(BLUE, ALIEN_V4.into(), Some(&mac))
        .endpoint(BLUE, ALIEN_V6.into(), Some(&mac));
    nodes.push(alien);
    StaticConfig::new(nodes, cluster::networks()).audit_interval("1h")
}

#[test]
fn every_size_crosses_natively_on_an_ipv4_underlay() {
    let scene = Scene::new(Families::V4, Encap::Native, Search::Entries);

    let counted = scene.exchange_all();

    assert_eq!(counted.losses(), [], "{counted:?}");
    assert_eq!(names(&counted), ["decapsulated", "encapsulated"]);
}

#[test]
fn every_size_crosses_natively_on_an_ipv6_underlay() {
    let scene = Scene::new(Families::V6, Encap::Native, Search::Entries);

    let counted = scene.exchange_all();

    assert_eq!(counted.losses(), [], "{counted:?}");
    assert_eq!(names(&counted), ["decapsulated", "encapsulated"]);
}

#[test]
fn every_size_crosses_by_the_device_on_an_ipv4_underlay() {
    let scene = Scene::new(Families::V4, Encap::Device, Search::Entries);

    let counted = scene.exchange_all();

    assert_eq!(counted.losses(), [], "{counted:?}");
    assert_eq!(names(&counted), ["device", "tunnelled"]);
}

#[test]
fn every_size_crosses_by_the_device_on_an_ipv6_underlay() {
    let scene = Scene::new(Families::V6, Encap::Device, Search::Entries);

    let counted = scene.exchange_all();

    assert_eq!(counted.losses(), [], "{counted:?}");
    assert_eq!(names(&counted), ["device", "tunnelled"]);
}

fn names(counted: &Counters) -> Vec<&str> {
    counted.carried().iter().map(|(walk, _)| *walk).collect()
}

#[test]
fn questions_over_an_ipv4_underlay_are_answered_natively() {
    answers_questions(Families::V4, Encap::Native);
}

#[test]
fn questions_over_an_ipv6_underlay_are_answered_natively() {
    answers_questions(Families::V6, Encap::Native);
}

#[test]
fn questions_over_an_ipv4_underlay_are_answered_by_the_device() {
    answers_questions(Families::V4, Encap::Device);
}

#[test]
fn questions_over_an_ipv6_underlay_are_answered_by_the_device() {
    answers_questions(Families::V6, Encap::Device);
}

/// The kernel's host knows nobody, and asks everybody.
fn answers_questions(families: Families, encap: Encap) {
    let scene = Scene::new(families, encap, Search::Flood);

    let [counted] = Counters::during([&scene.host], || {
        addresses(&scene.one)
            .into_iter()
            .try_for_each(|address| answers(Ping::new(&scene.alien.namespace, address)).map(drop))
    })
    .expect("answers");

    // The container asks for the way back, too.
    assert_eq!(counted.walk("arp-answered"), 2, "{counted:?}");
    assert!(counted.walk("neighbour-answered") >= 2, "{counted:?}");
    // It also asks whether its own link-local addresses are free.
    let mut losses = counted.losses();
    losses.retain(|(reason, _)| *reason != "no-endpoint");
    assert_eq!(losses, [], "{counted:?}");
    let known = scene
        .alien
        .namespace
        .exec("ip", &["neighbour", "show"])
        .expect("neighbours");
    let entries = known
        .lines()
        .filter(|line| line.contains(&scene.one.eth0.link.mac));
    assert_eq!(entries.count(), 2, "{known}");
    scene.exchange_all();
}

#[test]
fn questions_for_an_address_that_is_not_here_are_not_answered() {
    let scene = Scene::new(Families::V4, Encap::Native, Search::Flood);
    let nobody: IpAddr = cluster::BLUE_NOBODY.into();

    let [counted] = Counters::during([&scene.host], || {
        let pinged = Ping::new(&scene.alien.namespace, nobody).run()?;
        assert_eq!(pinged.count.received, 0, "{}", pinged.said);
        Ok(())
    })
    .expect("counters");

    assert!(counted.drop("no-endpoint") > 0, "{counted:?}");
    assert_eq!(counted.walk("arp-answered"), 0, "{counted:?}");
}
