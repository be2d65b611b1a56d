//! Blocks and endpoints.

use super::refused;
use crate::settings::tests::with;

#[test]
fn a_network_that_is_not_there() {
    refused(
        &with("{blue: [10.1.0.64/26]}", "{green: [10.1.0.64/26]}"),
        "agent.yaml: cluster.nodes[b].blocks.green: `green` is none of cluster.networks (blue); \
         correct the name or add the network",
    );
    refused(
        &with("{network: blue", "{network: green"),
        "agent.yaml: cluster.nodes[b].endpoints[0]: `green` is none of cluster.networks (blue); \
         correct the name or add the network",
    );
}

#[test]
fn a_block_outside_its_network() {
    refused(
        &with("10.1.0.64/26", "10.1.1.0/26"),
        "agent.yaml: cluster.nodes[b].blocks.blue: 10.1.1.0/26 is in none of the network's subnets \
         (10.1.0.0/24, fd00:1::/64); choose a part of one",
    );
    refused(
        &with("10.1.0.64/26", "10.1.0.0/16"),
        "agent.yaml: cluster.nodes[b].blocks.blue: 10.1.0.0/16 is in none of the network's subnets \
         (10.1.0.0/24, fd00:1::/64); choose a part of one",
    );
}

#[test]
fn blocks_that_overlap() {
    let of_a = "agent.yaml: cluster.nodes[b].blocks.blue:";
    let end = "of node `a` in the same network; give every address to one node";
    refused(
        &with("10.1.0.64/26", "10.1.0.32/28"),
        &format!("{of_a} 10.1.0.32/28 overlaps 10.1.0.0/26 {end}"),
    );
    refused(
        &with("10.1.0.64/26", "10.1.0.0/25"),
        &format!("{of_a} 10.1.0.0/25 overlaps 10.1.0.0/26 {end}"),
    );
    refused(
        &with("10.1.0.0/26, ", "10.1.0.0/26, 10.1.0.0/28, "),
        &format!("{of_a} 10.1.0.0/28 overlaps 10.1.0.0/26 {end}").replace("nodes[b]", "nodes[a]"),
    );
}

#[test]
fn an_endpoint_outside_its_network() {
    refused(
        &with("address: 10.1.0.200", "address: 10.2.0.200"),
        "agent.yaml: cluster.nodes[b].endpoints[0]: 10.2.0.200 is in none of the network's subnets \
         (10.1.0.0/24, fd00:1::/64); choose one inside",
    );
}

#[test]
fn an_endpoint_at_an_address_that_is_taken() {
    refused(
        &with("address: 10.1.0.200", "address: 10.1.0.1"),
        "agent.yaml: cluster.nodes[b].endpoints[0]: 10.1.0.1 is the gateway of 10.1.0.0/24; choose \
         another address, or move `gateway`",
    );
    refused(
        &with("address: 10.1.0.200", "address: 10.1.0.255"),
        "agent.yaml: cluster.nodes[b].endpoints[0]: 10.1.0.255 is the broadcast address of \
         10.1.0.0/24; no host can have it, choose another",
    );
    refused(
        &with(
            "endpoints: [",
            "endpoints: [{network: blue, address: 10.1.0.200}, ",
        ),
        "agent.yaml: cluster.nodes[b].endpoints[1]: 10.1.0.200 of network `blue` is listed twice: \
         also at cluster.nodes[b].endpoints[0]; remove one",
    );
}

#[test]
fn a_bad_ethernet_address() {
    refused(
        &with("02:42:0a:01:00:c8", "02:42:0a:01:00"),
        "agent.yaml: cluster.nodes[b].endpoints[0]: `02:42:0a:01:00` is no Ethernet address; write \
         six hexadecimal bytes like 02:42:0a:01:00:05",
    );
    refused(
        &with("02:42:0a:01:00:c8", "03:42:0a:01:00:c8"),
        "agent.yaml: cluster.nodes[b].endpoints[0]: 03:42:0a:01:00:c8 is a multicast or zero address; \
         make the second digit even, as in 02:42:…",
    );
}
