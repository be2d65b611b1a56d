//! Agents that must not start.

use std::{fs, net::UdpSocket, path::Path, process::Command};

use overlay_tests::Host;

use super::{FAILURE, expect_refusal};
use crate::idle::Idle;

/// Seconds after which an agent is stopped that starts although it should not.
const SECONDS: &str = "20";

/// The agent with all its arguments, quiet but for the error.
fn agent(host: &Host, config: &Path, run_dir: &Path, data_dir: &Path) -> Command {
    let mut command = host.namespace().command("timeout");
    command
        .arg(SECONDS)
        .arg(&host.binaries().agent)
        .args(["--log", "off"]);
    command.arg("--config").arg(config);
    command
        .arg("--run-dir")
        .arg(run_dir)
        .arg("--data-dir")
        .arg(data_dir);
    command
}

/// A configuration of one node with these further lines, and one network with these keys.
fn yaml(lines: &str, node: &str, network: &str) -> String {
    format!(
        "node: a\n{lines}cluster:\n  mode: static\n  nodes: [{{name: a, address: 192.0.2.1{node}}}]\n  \
         networks: [{{name: blue, vni: 4096, {network}}}]\n"
    )
}

/// The agent with this configuration must refuse to start.
fn refuses(idle: &Idle, yaml: &str, words: &[&str]) {
    let file = idle.session.directory().join("bad.yaml");
    fs::write(&file, yaml).expect("a file");
    let (run_dir, data_dir) = (idle.host.run_dir(), idle.host.data_dir());
    let mut command = agent(&idle.host, &file, &run_dir, &data_dir);
    expect_refusal(&idle.host, &mut command, FAILURE, words);
}

#[test]
fn a_configuration_that_cannot_work_is_refused_by_its_key() {
    let idle = Idle::new();
    let fine = "subnets: [10.1.0.0/24]";
    for (lines, node, network, words) in [
        ("datapth: {}\n", "", fine, &["bad.yaml", "`datapth`"][..]),
        (
            "",
            "",
            "subnet: [10.1.0.0/24]",
            &["bad.yaml", "`subnet`", "line"],
        ),
        (
            "",
            "",
            "subnets: [10.1.0.0/24, 10.1.0.128/25]",
            &[
                "networks[blue].subnets",
                "10.1.0.128/25 overlaps 10.1.0.0/24",
                "use subnets",
            ],
        ),
        (
            "",
            ", blocks: {blue: [10.1.0.0/25, 10.1.0.64/26]}",
            fine,
            &[
                "nodes[a].blocks",
                "10.1.0.64/26 overlaps 10.1.0.0/25",
                "give every address",
            ],
        ),
        (
            "",
            "",
            "subnets: [10.1.0.0/24], mtu: 67",
            &["networks[blue].mtu", "67 is too small", "raise it"],
        ),
        (
            "",
            "",
            "subnets: [\"fd00:1::/64\"], mtu: 1279",
            &[
                "networks[blue].mtu",
                "1279 is too small",
                "1280",
                "raise it",
            ],
        ),
        (
            "",
            ", endpoints_from: nowhere",
            fine,
            &["nowhere", "endpoints_from", "No such file"],
        ),
        (
            "audit_interval: soon\n",
            "",
            fine,
            &["audit_interval", "`soon`", "30s"],
        ),
    ] {
        refuses(&idle, &yaml(lines, node, network), words);
    }
    refuses(
        &idle,
        &yaml("", "", fine).replace("node: a", "node: z"),
        &["`z`", "cluster.nodes", "(a)"],
    );
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let idle = Idle::new();
    let (run_dir, data_dir) = (idle.host.run_dir(), idle.host.data_dir());
    let mut command = agent(&idle.host, Path::new("/nowhere.yaml"), &run_dir, &data_dir);

    expect_refusal(
        &idle.host,
        &mut command,
        FAILURE,
        &["/nowhere.yaml", "No such file"],
    );
}

#[test]
fn a_port_that_another_vxlan_device_has_is_refused_by_the_devices_name() {
    let idle = Idle::new();
    let theirs = [
        "link add theirs type vxlan id 7 dstport 4789",
        "link set theirs up",
    ];
    idle.host.namespace().ip(&theirs).expect("a device");

    refuses(
        &idle,
        &yaml("", "", "subnets: [10.1.0.0/24]"),
        &[
            "UDP port 4789",
            "vxlan device theirs",
            "choose another datapath.port",
        ],
    );
}

#[test]
fn a_port_that_a_process_has_is_refused_by_the_process() {
    let idle = Idle::new();
    let bind = || UdpSocket::bind("0.0.0.0:4789");
    let socket = idle
        .host
        .namespace()
        .run(bind)
        .expect("inside")
        .expect("a socket");
    let pid = std::process::id().to_string();

    refuses(
        &idle,
        &yaml("", "", "subnets: [10.1.0.0/24]"),
        &["UDP port 4789", &pid, "choose another datapath.port"],
    );
    drop(socket);
}

#[test]
fn a_device_of_somebody_else_with_our_name_is_left_alone() {
    let idle = Idle::new();
    idle.host
        .namespace()
        .ip(&["link add ovl-vxlan type bridge"])
        .expect("a device");

    refuses(
        &idle,
        &yaml("", "", "subnets: [10.1.0.0/24]"),
        &["ovl-vxlan", "rename it or delete it"],
    );
}

#[test]
fn a_second_agent_is_refused_whatever_it_shares_with_the_first() {
    let mut idle = Idle::new();
    idle.host.start_agent().expect("started");
    let host = &idle.host;
    let other = |name: &str| idle.session.directory().join(name);
    for (run_dir, data_dir, words) in [
        (host.run_dir(), other("d1"), "another agent already answers"),
        (other("r2"), host.data_dir(), "another agent uses"),
        (
            other("r3"),
            other("d3"),
            "another agent runs in this network namespace",
        ),
    ] {
        let mut command = agent(host, &host.config_file(), &run_dir, &data_dir);
        expect_refusal(host, &mut command, FAILURE, &[words, "stop it"]);
    }
}
