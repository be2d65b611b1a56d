//! Names, and nodes with their addresses.

use super::refused;
use crate::settings::tests::with;

#[test]
fn a_bad_name() {
    refused(
        &with("name: blue", "name: deep blue"),
        "agent.yaml: cluster.networks[0].name: `deep blue` is no name; use 1 to 64 letters, digits, \
         `-`, `_` and `.`, first a letter or digit",
    );
    refused(
        &with("name: b\n", "name: ''\n"),
        "agent.yaml: cluster.nodes[1].name: `` is no name; use 1 to 64 letters, digits, `-`, `_` and \
         `.`, first a letter or digit",
    );
}

#[test]
fn a_name_twice() {
    refused(
        &with("name: b\n", "name: a\n"),
        "agent.yaml: cluster.nodes[1].name: `a` is listed twice; rename one or remove it",
    );
    refused(
        &with(
            "  networks:",
            "  networks:\n    - {name: blue, vni: 7, subnets: [10.9.0.0/24]}",
        ),
        "agent.yaml: cluster.networks[1].name: `blue` is listed twice; rename one or remove it",
    );
    refused(
        &with(
            "{blue: [10.1.0.64/26]}",
            "{blue: [10.1.0.64/26], blue: [10.1.0.128/26]}",
        ),
        "agent.yaml: cluster.nodes[b].blocks.blue: `blue` is listed twice; rename one or remove it",
    );
}

#[test]
fn a_node_that_is_none_of_the_nodes() {
    refused(
        &with("node: a", "node: c"),
        "agent.yaml: node: `c` is none of cluster.nodes (a, b); set `node:` to one of them, or add it",
    );
    refused(
        "{node: a, cluster: {mode: static, nodes: []}}",
        "agent.yaml: node: `a` is none of cluster.nodes (there is none); set `node:` to one of them, \
         or add it",
    );
}

#[test]
fn an_address_that_is_none() {
    refused(
        &with("192.0.2.1", "192.0.2"),
        "agent.yaml: cluster.nodes[a].address: `192.0.2` is no IP address; write one like 192.0.2.1 \
         or \"2001:db8::1\"",
    );
    refused(
        &with("address: 10.1.0.200", "address: ten"),
        "agent.yaml: cluster.nodes[b].endpoints[0]: `ten` is no IP address; write one like 10.1.0.200 \
         or \"fd00:1::200\"",
    );
    refused(
        &with("vni: 4096", "vni: 4096, gateway: [one]"),
        "agent.yaml: cluster.networks[blue].gateway: `one` is no IP address; write one like 10.1.0.1 \
         or \"fd00:1::1\"",
    );
}

#[test]
fn an_address_no_node_can_have() {
    for (address, what) in [
        ("0.0.0.0", "no host's address"),
        ("127.0.0.1", "a loopback address"),
        ("224.0.0.1", "an address of many hosts"),
        ("255.255.255.255", "an address of many hosts"),
        (
            "fe80::1",
            "a link-local address, ambiguous without its interface",
        ),
        ("::ffff:192.0.2.1", "an IPv4 address written as IPv6"),
    ] {
        refused(
            &with("192.0.2.1", address),
            &format!(
                "agent.yaml: cluster.nodes[a].address: {address} is {what}; use the address at which \
                 the other nodes reach this one"
            ),
        );
    }
}

#[test]
fn an_address_of_two_nodes() {
    refused(
        &with("192.0.2.2", "192.0.2.1"),
        "agent.yaml: cluster.nodes[b].address: 192.0.2.1 is also the address of node `a`; every node \
         needs its own",
    );
}

#[test]
fn nodes_of_both_families() {
    refused(
        &with("192.0.2.2", "2001:db8::2"),
        "agent.yaml: cluster.nodes[b].address: 2001:db8::2 is IPv6, but node `a` has 192.0.2.1; give \
         all nodes addresses of one family",
    );
}

#[test]
fn keys_of_the_other_mode() {
    refused(
        &with("mode: static", "mode: swarm"),
        "agent.yaml: cluster.nodes: this key is for cluster.mode: static; remove it, or change the mode",
    );
    refused(
        "cluster: {mode: swarm, networks: []}",
        "agent.yaml: cluster.networks: this key is for cluster.mode: static; remove it, or change the \
         mode",
    );
    refused(
        &with("mode: static", "mode: static\n  gossip_port: 7946"),
        "agent.yaml: cluster.gossip_port: this key is for cluster.mode: swarm; remove it, or change the \
         mode",
    );
    refused(
        "node: a\ncluster: {mode: static}",
        "agent.yaml: cluster.nodes: there is none; list the hosts, or set cluster.mode to swarm to get \
         them from managers",
    );
}

#[test]
fn a_place_in_a_swarm_that_nobody_can_reach() {
    for (key, value, told) in [
        (
            "listen",
            "eth0",
            "`eth0` is no IP address with or without a port; write one like 192.0.2.1 or \
             \"[2001:db8::1]:2377\"",
        ),
        (
            "advertise",
            "0.0.0.0",
            "0.0.0.0 is no host's address; use the address at which the other nodes reach this one",
        ),
        (
            "data_path",
            "127.0.0.1",
            "127.0.0.1 is a loopback address; use the address at which the other nodes reach this one",
        ),
        ("gossip_port", "0", "0 is out of range; choose 1 to 65535"),
        (
            "control_port",
            "65536",
            "65536 is out of range; choose 1 to 65535",
        ),
    ] {
        refused(
            &format!("cluster: {{mode: swarm, {key}: {value}}}"),
            &format!("agent.yaml: cluster.{key}: {told}"),
        );
    }
}
