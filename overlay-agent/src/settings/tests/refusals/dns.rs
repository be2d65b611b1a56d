//! What is wrong with the way to names.

use super::refused;
use crate::settings::tests::with;

fn dns(keys: &str) -> String {
    with("node: a", &format!("node: a\ndns: {{{keys}}}"))
}

#[test]
fn a_port_out_of_range() {
    refused(
        &dns("port: 0"),
        "agent.yaml: dns.port: 0 is out of range; choose 1 to 65535",
    );
}

#[test]
fn answers_that_are_kept_for_more_than_a_day() {
    refused(
        &dns("ttl: 86401"),
        "agent.yaml: dns.ttl: 86401 is out of range; choose 0 to 86400",
    );
}

#[test]
fn an_address_at_which_nobody_can_ask() {
    for text in ["here", "0.0.0.0", "224.0.0.1", "\"::\""] {
        refused(
            &dns(&format!("addresses: [{text}]")),
            &format!(
                "agent.yaml: dns.addresses: `{}` is no IP address; write one like 169.254.53.53",
                text.trim_matches('"')
            ),
        );
    }
}

#[test]
fn a_resolver_without_an_address() {
    refused(
        &dns("upstream: [resolver.example]"),
        "agent.yaml: dns.upstream: `resolver.example` is no IP address with or without a port; write one like \
         192.0.2.53 or \"[2001:db8::53]:5353\"",
    );
}
