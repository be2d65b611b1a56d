//! Configurations that are taken.

use std::{net::IpAddr, time::Duration};

use proptest::prelude::*;

use super::{CLUSTER, parse, with};
use crate::{
    model::{Attach, Encap, Vni},
    settings::Limits,
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
    };
    assert_eq!(settings.limits, limits);
    let network = settings.desired.network("blue").unwrap();
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
        "node: b\ndatapath: {encap: device, attach: clsact, port: 14789, limits: {endpoints: 1, routes: 2, blocks: 3, \
         peers: 4, networks: 5}}\nevents: {sample: 0}\naudit_interval: 1m30s",
    );

    let settings = parse(&text).unwrap();

    assert_eq!(settings.node, "b");
    assert_eq!(settings.desired.this, "b");
    assert_eq!(settings.encap, Encap::Device);
    assert_eq!(settings.attach, Attach::Clsact);
    assert_eq!(settings.port, 14789);
    assert_eq!(settings.limits.networks, 5);
    assert_eq!(settings.event_sample, 0);
    assert_eq!(settings.audit_interval, Duration::from_secs(90));
    let node = settings.desired.this_node().unwrap();
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

    let gateways = &settings.desired.networks[0].gateways;
    assert_eq!(*gateways, [address("10.1.0.1"), address("fd00:1::fe")]);
}

#[test]
fn networks_with_different_numbers_may_overlap_in_addresses() {
    let text = with(
        "  networks:",
        "  networks:\n    - {name: red, vni: 7, subnets: [10.1.0.0/16]}",
    );

    let settings = parse(&text).unwrap();

    let all_names: Vec<&str> = settings
        .desired
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

    assert_eq!(settings.desired.nodes[1].address, address("2001:db8::2"));
}

#[test]
fn the_mtu_may_be_the_largest_that_headers_leave() {
    let v4 = with("vni: 4096", "vni: 4096, mtu: 65485");
    let v6 = with("192.0.2.1", "2001:db8::1")
        .replace("192.0.2.2", "2001:db8::2")
        .replace("vni: 4096", "vni: 4096, mtu: 65465");

    assert_eq!(parse(&v4).unwrap().desired.networks[0].mtu, Some(65_485));
    assert_eq!(parse(&v6).unwrap().desired.networks[0].mtu, Some(65_465));
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
