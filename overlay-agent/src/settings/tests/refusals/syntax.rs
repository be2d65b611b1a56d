//! Files that are no configuration.

use super::misread;
use crate::settings::tests::with;

#[test]
fn an_unknown_key() {
    misread(
        &with("address: 192.0.2.1", "adress: 192.0.2.1"),
        &[
            "agent.yaml is not understood (docs/configuration.md has every key)",
            "cluster.nodes[0]: unknown field `adress`, expected one of `name`, `address`",
            "line 7",
        ],
    );
    misread(&with("node: a", "nod: a"), &["unknown field `nod`"]);
    misread(&with("vni", "vxlan"), &["unknown field `vxlan`"]);
    misread(&with("{network:", "{net:"), &["unknown field `net`"]);
    misread(
        &with("node: a", "node: a\nevents: {x: 1}"),
        &["unknown field `x`"],
    );
    misread(
        &with("node: a", "node: a\ndatapath: {limits: {route: 1}}"),
        &["datapath.limits: unknown field `route`"],
    );
}

#[test]
fn a_missing_key() {
    misread(
        &with("  mode: static\n", ""),
        &["cluster: missing field `mode`"],
    );
    misread(
        &with("      address: 192.0.2.2\n", ""),
        &["missing field `address`"],
    );
}

#[test]
fn a_key_typed_twice() {
    misread(
        &with("node: a", "node: a\nnode: b"),
        &["duplicate field `node`"],
    );
}

#[test]
fn a_bad_word() {
    misread(
        &with("node: a", "node: a\ndatapath: {encap: fast}"),
        &["datapath.encap: unknown variant `fast`, expected one of `native`, `device`, `auto`"],
    );
    misread(
        &with("static", "dynamic"),
        &["unknown variant `dynamic`, expected `static` or `swarm`"],
    );
}

#[test]
fn a_value_of_the_wrong_kind() {
    misread(
        &with("vni: 4096", "vni: many"),
        &["vni: invalid type: string \"many\""],
    );
    misread(
        &with("vni: 4096", "vni: -1"),
        &["vni: invalid type: integer `-1`"],
    );
}
