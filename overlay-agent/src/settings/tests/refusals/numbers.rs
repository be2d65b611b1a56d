//! Port, limits, samples and intervals.

use super::refused;
use crate::settings::tests::with;

#[test]
fn a_port_out_of_range() {
    for port in ["0", "65536"] {
        refused(
            &with("node: a", &format!("node: a\ndatapath: {{port: {port}}}")),
            &format!("agent.yaml: datapath.port: {port} is out of range; choose 1 to 65535"),
        );
    }
}

#[test]
fn a_limit_out_of_range() {
    for limit in ["0", "16777217"] {
        refused(
            &with(
                "node: a",
                &format!("node: a\ndatapath: {{limits: {{endpoints: {limit}}}}}"),
            ),
            &format!(
                "agent.yaml: datapath.limits.endpoints: {limit} is out of range; choose 1 to 16777216"
            ),
        );
    }
}

#[test]
fn a_limit_below_what_is_configured() {
    let two_more = "cluster:\n  mode: static\n  nodes:\n    - {name: c, address: 192.0.2.3, blocks: \
                    {blue: [10.1.0.128/27]}, endpoints: [{network: blue, address: 10.1.0.201}]}";
    let text = with("cluster:\n  mode: static\n  nodes:", two_more);
    let text = format!("{text}    - {{name: red, vni: 7, subnets: [10.2.0.0/24]}}\n");
    for (name, what) in [
        ("routes", "exact addresses of other nodes"),
        ("blocks", "blocks of other nodes"),
        ("peers", "other nodes"),
        ("networks", "networks"),
    ] {
        let limits = format!("node: a\ndatapath: {{limits: {{{name}: 1}}}}");
        refused(
            &text.replacen("node: a", &limits, 1),
            &format!(
                "agent.yaml: datapath.limits.{name}: 1 is too small: this file has 2 ({what}); raise \
                 it to at least that"
            ),
        );
    }
}

#[test]
fn a_sample_out_of_range() {
    refused(
        &with("node: a", "node: a\nevents: {sample: 4294967296}"),
        "agent.yaml: events.sample: 4294967296 is out of range; choose 0 to 4294967295",
    );
}

#[test]
fn a_bad_timeout() {
    let with_timeout = |text: &str| {
        with(
            "node: a",
            &format!("node: a\nservices: {{timeouts: {{udp: {text}}}}}"),
        )
    };
    refused(
        &with_timeout("30"),
        "agent.yaml: services.timeouts.udp: `30` is no duration; write numbers with units: 30s, 2m, 500ms",
    );
    refused(
        &with_timeout("999ms"),
        "agent.yaml: services.timeouts.udp: 999ms is too short; use 1s or more",
    );
}

#[test]
fn a_bad_audit_interval() {
    for text in ["30", "soon", "1.5"] {
        refused(
            &with("node: a", &format!("node: a\naudit_interval: {text}")),
            &format!(
                "agent.yaml: audit_interval: `{text}` is no duration; write numbers with units: 30s, \
                 2m, 500ms"
            ),
        );
    }
    refused(
        &with("node: a", "node: a\naudit_interval: 99ms"),
        "agent.yaml: audit_interval: 99ms is too short; use 100ms or more",
    );
}
