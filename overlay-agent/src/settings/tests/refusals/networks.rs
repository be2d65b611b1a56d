//! Networks with their subnets.

use super::refused;
use crate::settings::tests::{CLUSTER, with};

#[test]
fn a_vni_out_of_range() {
    let key = "agent.yaml: cluster.networks[blue].vni:";
    for vni in ["0", "16777216"] {
        refused(
            &with("4096", vni),
            &format!("{key} {vni} is no VNI; choose one from 1 to 16777215"),
        );
    }
    refused(
        &with("4096", "4294967297"),
        &format!("{key} 4294967297 is out of range; choose 1 to 16777215"),
    );
}

#[test]
fn a_vni_of_two_networks() {
    refused(
        &format!("{CLUSTER}    - {{name: red, vni: 4096, subnets: [10.2.0.0/24]}}\n"),
        "agent.yaml: cluster.networks[red].vni: 4096 is also the VNI of network `blue`; every network \
         needs its own",
    );
}

#[test]
fn a_subnet_that_is_none() {
    refused(
        &with("10.1.0.0/24", "10.1.0.0"),
        "agent.yaml: cluster.networks[blue].subnets: `10.1.0.0` is no subnet; write one like \
         10.1.0.0/24 or \"fd00:1::/64\"",
    );
    refused(
        &with("[10.1.0.0/24, \"fd00:1::/64\"]", "[]"),
        "agent.yaml: cluster.networks[blue].subnets: the list is empty; give the network at least one \
         subnet like 10.1.0.0/24",
    );
}

#[test]
fn a_subnet_or_block_with_host_bits() {
    refused(
        &with("10.1.0.0/24", "10.1.0.7/24"),
        "agent.yaml: cluster.networks[blue].subnets: 10.1.0.7/24 has bits set behind its prefix; \
         write 10.1.0.0/24",
    );
    refused(
        &with("10.1.0.64/26", "10.1.0.65/26"),
        "agent.yaml: cluster.nodes[b].blocks.blue: 10.1.0.65/26 has bits set behind its prefix; write \
         10.1.0.64/26",
    );
}

#[test]
fn a_subnet_without_room() {
    refused(
        &with("10.1.0.0/24", "10.1.0.0/31"),
        "agent.yaml: cluster.networks[blue].subnets: 10.1.0.0/31 is too small for a gateway and a \
         container; use a prefix up to /30",
    );
    refused(
        &with("fd00:1::/64", "fd00:1::/127"),
        "agent.yaml: cluster.networks[blue].subnets: fd00:1::/127 is too small for a gateway and a \
         container; use a prefix up to /126",
    );
}

#[test]
fn a_subnet_containers_cannot_use() {
    for (subnet, what) in [
        ("0.0.0.0/0", "addresses that mean `this host` (0.0.0.0/8)"),
        ("127.0.0.0/24", "loopback addresses (127.0.0.0/8)"),
        ("224.0.0.0/24", "multicast addresses (224.0.0.0/4)"),
        ("255.0.0.0/24", "reserved addresses (240.0.0.0/4)"),
        (
            "::ffff:10.0.0.0/104",
            "IPv4-mapped addresses (::ffff:0:0/96)",
        ),
        ("::/120", "the loopback address (::1)"),
        ("fe80::/64", "link-local addresses (fe80::/10)"),
        ("ff00::/64", "multicast addresses (ff00::/8)"),
    ] {
        let net: ipnet::IpNet = subnet.parse().unwrap();
        refused(
            &with("10.1.0.0/24", &format!("\"{subnet}\"")),
            &format!(
                "agent.yaml: cluster.networks[blue].subnets: {net} holds {what}; use a private range \
                 such as 10.1.0.0/24 or fd00:1::/64"
            ),
        );
    }
}

#[test]
fn subnets_that_overlap() {
    refused(
        &with("10.1.0.0/24", "10.1.0.0/24, 10.1.0.128/25"),
        "agent.yaml: cluster.networks[blue].subnets: 10.1.0.128/25 overlaps 10.1.0.0/24 of the same \
         network; use subnets that share no address",
    );
    refused(
        &with("10.1.0.0/24", "10.1.0.0/24, 10.1.0.0/24"),
        "agent.yaml: cluster.networks[blue].subnets: 10.1.0.0/24 overlaps 10.1.0.0/24 of the same \
         network; use subnets that share no address",
    );
}

#[test]
fn a_gateway_in_no_subnet() {
    refused(
        &with("vni: 4096", "vni: 4096, gateway: [10.2.0.1]"),
        "agent.yaml: cluster.networks[blue].gateway: 10.2.0.1 is in none of the network's subnets \
         (10.1.0.0/24, fd00:1::/64); choose one inside",
    );
}

#[test]
fn a_gateway_no_host_can_have() {
    for (address, what) in [("10.1.0.0", "network"), ("10.1.0.255", "broadcast")] {
        refused(
            &with("vni: 4096", &format!("vni: 4096, gateway: [{address}]")),
            &format!(
                "agent.yaml: cluster.networks[blue].gateway: {address} is the {what} address of \
                 10.1.0.0/24; no host can have it, choose another"
            ),
        );
    }
}

#[test]
fn two_gateways_in_one_subnet() {
    refused(
        &with("vni: 4096", "vni: 4096, gateway: [10.1.0.1, 10.1.0.2]"),
        "agent.yaml: cluster.networks[blue].gateway: 10.1.0.2 and 10.1.0.1 are both in 10.1.0.0/24; \
         give one gateway for each subnet",
    );
}

#[test]
fn an_mtu_out_of_range() {
    refused(
        &with("vni: 4096", "vni: 4096, mtu: 1279"),
        "agent.yaml: cluster.networks[blue].mtu: 1279 is too small: IPv6 needs 1280; raise it, or \
         leave `mtu` out",
    );
    refused(
        &with("vni: 4096", "vni: 4096, mtu: 575")
            .replace(", \"fd00:1::/64\"", "")
            .replace(", \"fd00:1::/120\"", ""),
        "agent.yaml: cluster.networks[blue].mtu: 575 is too small: IPv4 needs 576; raise it, or leave \
         `mtu` out",
    );
    refused(
        &with("vni: 4096", "vni: 4096, mtu: 65486"),
        "agent.yaml: cluster.networks[blue].mtu: 65486 is too big: 50 bytes of outer headers leave \
         65485; lower it, or leave `mtu` out",
    );
}
