//! Configurations that are taken.

use std::{net::IpAddr, time::Duration};

use proptest::prelude::*;

use super::{CLUSTER, desired, parse, told, with};
use crate::{
    model::{Attach, Encap, Vni},
    settings::{Cluster, Limits, Settings},
};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn defaults_fill_what_the_file_leaves_out() {
    let settings = parse(CLUSTER).unwrap();

    assert_eq!(settings.encap, Encap::Auto);
    assert_eq!(settings.attach, Attach::Auto);
    assert_eq!(settings.port, 4789);
    assert_eq!(settings.event_sample, 1);
    assert_eq!(settings.audit_interval, Duration::from_secs(30));
    let limits = Limits {
        endpoints: 16_384,
        routes: 65_536,
        blocks: 16_384,
        peers: 4_096,
        networks: 4_096,
        vips: 16_384,
        ports: 8_192,
        backends: 65_536,
        slots: 1 << 20,
        flows: 262_144,
        new_flows: 16_384,
    };
    assert_eq!(settings.limits, limits);
    let network = desired(&settings).network("blue").unwrap();
    assert_eq!(
        network.gateways,
        [address("10.1.0.1"), address("fd00:1::1")]
    );
    assert_eq!(network.mtu, None);
}

#[test]
fn everything_given_is_kept() {
    let text = with(
        "node: a",
        "node: b\ndatapath: {encap: device, attach: clsact, port: 14789, limits: {endpoints: 1, routes: 2, blocks: 4, \
         peers: 4, networks: 5}}\nevents: {sample: 0}\nservices: {timeouts: {tcp: 24h, udp: 1s}}\n\
         audit_interval: 1m30s",
    );

    let settings = parse(&text).unwrap();

    assert_eq!(settings.node, "b");
    assert_eq!(desired(&settings).this, address("192.0.2.2"));
    assert_eq!(settings.encap, Encap::Device);
    assert_eq!(settings.attach, Attach::Clsact);
    assert_eq!(settings.port, 14789);
    assert_eq!(settings.limits.networks, 5);
    assert_eq!(settings.event_sample, 0);
    assert_eq!(settings.audit_interval, Duration::from_secs(90));
    let timeouts = settings.services.timeouts;
    assert_eq!(timeouts.tcp, Duration::from_hours(24));
    assert_eq!(timeouts.udp, Duration::from_secs(1));
    assert_eq!(timeouts.sctp, Duration::from_hours(5 * 24));
    let node = desired(&settings).this_node().unwrap();
    assert_eq!(
        node.endpoints[0].mac.unwrap().to_string(),
        "02:42:0a:01:00:c8"
    );
    assert_eq!(node.blocks[&Vni::try_from(4096).unwrap()].len(), 1);
}

#[test]
fn gateways_may_come_in_any_order_and_number() {
    let text = with(
        r#""fd00:1::/64"]"#,
        r#""fd00:1::/64"], gateway: ["fd00:1::fe"]"#,
    );

    let settings = parse(&text).unwrap();

    let gateways = &desired(&settings).networks[0].gateways;
    assert_eq!(*gateways, [address("10.1.0.1"), address("fd00:1::fe")]);
}

#[test]
fn networks_with_different_numbers_may_overlap_in_addresses() {
    let text = with(
        "  networks:",
        "  networks:\n    - {name: red, vni: 7, subnets: [10.1.0.0/16]}",
    );

    let settings = parse(&text).unwrap();

    let all_names: Vec<&str> = desired(&settings)
        .networks
        .iter()
        .map(|n| n.name.as_str())
        .collect();
    assert_eq!(all_names, ["blue", "red"]);
}

#[test]
fn all_nodes_may_have_ipv6_addresses() {
    let text = with("192.0.2.1", "2001:db8::1").replace("192.0.2.2", "2001:db8::2");

    let settings = parse(&text).unwrap();

    assert_eq!(desired(&settings).nodes[1].address, address("2001:db8::2"));
}

#[test]
fn the_mtu_may_be_the_largest_that_headers_leave() {
    let v4 = with("vni: 4096", "vni: 4096, mtu: 65485");
    let v6 = with("192.0.2.1", "2001:db8::1")
        .replace("192.0.2.2", "2001:db8::2")
        .replace("vni: 4096", "vni: 4096, mtu: 65465");

    assert_eq!(desired(&parse(&v4).unwrap()).networks[0].mtu, Some(65_485));
    assert_eq!(desired(&parse(&v6).unwrap()).networks[0].mtu, Some(65_465));
}

#[test]
fn without_a_node_the_host_name_decides() {
    let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let text = with("node: a\n", "").replace("name: a", &format!("name: {host}"));

    assert_eq!(parse(&text).unwrap().node, host);
}

#[test]
fn directories_become_absolute() {
    let settings = super::Settings::parse(CLUSTER, "x".as_ref(), "data", "run").unwrap();

    let here = std::env::current_dir().unwrap();
    assert_eq!(settings.data_dir, here.join("data"));
    assert_eq!(settings.run_dir, here.join("run"));
}

proptest! {
    /// Blocks cut from one subnet by distinct numbers never meet; one used twice always does.
    #[test]
    fn blocks_are_refused_exactly_when_they_overlap(
        first in prop::collection::btree_set(0_u8..64, 1..8),
        second in prop::collection::btree_set(0_u8..64, 1..8),
    ) {
        let list = |numbers: &std::collections::BTreeSet<u8>| {
            let nets: Vec<String> = numbers.iter().map(|n| format!("10.1.0.{}/30", n * 4)).collect();
            nets.join(", ")
        };
        let text = CLUSTER
            .replace("10.1.0.0/26, \"fd00:1::/120\"", &list(&first))
            .replace("10.1.0.64/26", &list(&second));

        prop_assert_eq!(parse(&text).is_ok(), first.is_disjoint(&second));
    }

    /// Whatever is typed, checking ends with settings or an error, never a panic.
    #[test]
    fn no_text_panics(part in "[a-z0-9:{}\\[\\],./\\- \\n]{0,80}") {
        for text in [
            part.clone(),
            with("blue: [10.1.0.64/26]", &part),
            with("4096", &part),
            with("10.1.0.0/24", &part),
        ] {
            drop(parse(&text));
        }
    }
}

#[test]
fn without_a_file_or_a_word_about_a_cluster_the_agent_waits_for_a_swarm() {
    for text in ["", "# nothing\n", "---\n", "node: a"] {
        let settings = parse(text).map_err(|error| told(&error)).unwrap();

        let Cluster::Swarm(swarm) = settings.cluster else {
            panic!("{text}: {:?}", settings.cluster);
        };
        assert_eq!(swarm.listen, "0.0.0.0:2377".parse().unwrap());
        assert_eq!((swarm.advertise, swarm.data_path), (None, None));
        assert_eq!((swarm.gossip_port, swarm.control_port), (7946, 2377));
        assert_eq!(settings.port, 4789);
    }
}

#[test]
fn a_host_may_say_where_it_takes_part_in_a_swarm() {
    let cluster = |text| match parse(text).map_err(|error| told(&error)).unwrap() {
        Settings {
            cluster: Cluster::Swarm(swarm),
            ..
        } => swarm,
        settings => panic!("{:?}", settings.cluster),
    };

    let swarm = cluster(
        "cluster: {mode: swarm, listen: 192.0.2.1, advertise: 192.0.2.1, data_path: \"2001:db8::1\", \
         gossip_port: 17946, control_port: 12377}",
    );
    assert_eq!(swarm.listen, "192.0.2.1:12377".parse().unwrap());
    assert_eq!(swarm.advertise, Some(address("192.0.2.1")));
    assert_eq!(swarm.data_path, Some(address("2001:db8::1")));
    assert_eq!((swarm.gossip_port, swarm.control_port), (17946, 12377));

    let swarm = cluster("cluster: {mode: swarm, listen: \"[2001:db8::1]:99\"}");
    assert_eq!(swarm.listen, "[2001:db8::1]:99".parse().unwrap());
}

#[test]
fn containers_get_names_unless_the_file_says_otherwise() {
    let usual = parse(CLUSTER).unwrap().dns;
    let other = with(
        "node: a",
        "node: a\ndns: {enabled: false, addresses: [192.0.2.53], port: 5353, ttl: 0, \
         upstream: [198.51.100.53, \"[2001:db8::53]:5353\"]}",
    );
    let other = parse(&other).unwrap().dns;

    let addresses = [address("169.254.53.53"), address("fd6f:7665:726c:53::53")];
    assert!(usual.enabled && usual.upstream.is_empty());
    assert_eq!(
        (usual.addresses, usual.port, usual.ttl_s),
        (addresses.to_vec(), 53, 2)
    );
    assert!(!other.enabled);
    assert_eq!(
        (other.addresses, other.port, other.ttl_s),
        (vec![address("192.0.2.53")], 5353, 0)
    );
    let upstream: Vec<String> = other.upstream.iter().map(ToString::to_string).collect();
    assert_eq!(upstream, ["198.51.100.53:53", "[2001:db8::53]:5353"]);
}
