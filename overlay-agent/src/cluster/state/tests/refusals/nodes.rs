//! Nodes that come, change and go.

use std::collections::BTreeSet;

use super::{
    super::{
        super::{
            Change, Join,
            RefusalKind::{BadRequest, Conflict, Forbidden, NotFound},
        },
        world::{World, address, join, node, secret},
    },
    check,
};
use crate::model::{Availability, NodeId, Role};

const NO_NODE_9: &str = "node 0000000000000000000000009 not found";

fn joining(number: u8, change: impl Fn(&mut Join)) -> Change {
    let mut join = join(number, Role::Worker);
    change(&mut join);
    Change::Join(Box::new(join))
}

fn demote(number: u128, down: &[u128]) -> Change {
    Change::SetRole {
        node: node(number),
        role: Role::Worker,
        down: nodes(down),
    }
}

fn leave(number: u128, down: &[u128]) -> Change {
    Change::Leave {
        node: node(number),
        force: false,
        down: nodes(down),
    }
}

fn remove(number: u128, force: bool, is_down: bool) -> Change {
    Change::RemoveNode {
        node: node(number),
        force,
        is_down,
        secret: secret(9),
    }
}

fn nodes(numbers: &[u128]) -> BTreeSet<NodeId> {
    numbers.iter().map(|number| node(*number)).collect()
}

#[test]
fn a_node_that_cannot_join() {
    let mut world = World::with_nodes(3);
    world.remove_node(3).unwrap();
    check(
        &mut world,
        [
            (
                joining(3, |_| ()),
                Forbidden,
                "node 0000000000000000000000003 was removed from the swarm",
            ),
            (
                joining(4, |join| join.hostname = "a host".to_owned()),
                BadRequest,
                "`a host` is no host name",
            ),
            (
                joining(4, |join| join.hostname = String::new()),
                BadRequest,
                "`` is no host name",
            ),
            (
                joining(4, |join| join.data_path = address("127.0.0.1")),
                BadRequest,
                "data path address 127.0.0.1 is a loopback address",
            ),
            (
                joining(4, |join| join.data_path = address("255.255.255.255")),
                BadRequest,
                "data path address 255.255.255.255 is the broadcast address",
            ),
            (
                joining(4, |join| join.gossip.set_ip(address("0.0.0.0"))),
                BadRequest,
                "gossip address 0.0.0.0 is no address of one host",
            ),
            (
                joining(4, |join| join.control.set_ip(address("ff02::1"))),
                BadRequest,
                "control address ff02::1 is a multicast address",
            ),
            (
                joining(4, |join| join.data_path = address("2001:db8::4")),
                BadRequest,
                "data path address 2001:db8::4 is not of the family of the other nodes' (192.0.2.1)",
            ),
            (
                joining(4, |join| join.data_path = address("192.0.2.2")),
                Conflict,
                "data path address 192.0.2.2 is in use by node host-2 (0000000000000000000000002), \
                 which answers",
            ),
            (
                joining(1, |_| ()),
                Conflict,
                "node 0000000000000000000000001 is the last manager of the swarm: all of its state \
                 would be lost",
            ),
        ],
    );
}

#[test]
fn a_node_that_cannot_change_or_go() {
    let mut world = World::with_nodes(2);
    let last = "node 0000000000000000000000001 is the last manager of the swarm: all of its state \
                would be lost";
    check(
        &mut world,
        [
            (demote(9, &[]), NotFound, NO_NODE_9),
            (leave(9, &[]), NotFound, NO_NODE_9),
            (remove(9, true, true), NotFound, NO_NODE_9),
            (
                Change::SetAvailability {
                    node: node(9),
                    availability: Availability::Drain,
                },
                NotFound,
                NO_NODE_9,
            ),
            (
                Change::ForceNewCluster { node: node(9) },
                NotFound,
                NO_NODE_9,
            ),
            (
                Change::SetLabels {
                    node: node(2),
                    add: [("rack".to_owned(), "7".to_owned())].into(),
                    remove: ["zone".to_owned()].into(),
                },
                NotFound,
                "label `zone` does not exist in the labels of node 0000000000000000000000002",
            ),
            (
                Change::SetLabels {
                    node: node(2),
                    add: [(String::new(), "7".to_owned())].into(),
                    remove: BTreeSet::new(),
                },
                BadRequest,
                "label without a name before its `=`",
            ),
            (demote(1, &[]), Conflict, last),
            (leave(1, &[]), Conflict, last),
            (
                remove(1, true, true),
                Conflict,
                "node 0000000000000000000000001 is a cluster manager and is a member of the raft \
                 cluster",
            ),
            (
                remove(2, false, false),
                Conflict,
                "node 0000000000000000000000002 is not down and can't be removed",
            ),
        ],
    );
}

#[test]
fn a_manager_without_whom_nothing_can_be_decided() {
    let mut world = World::with_nodes(3);
    world.promote(2);
    world.promote(3);
    let words = "without node 0000000000000000000000002 only 1 of 2 managers would answer: a loss of \
                 quorum, after which nothing can be changed";
    check(
        &mut world,
        [
            (demote(2, &[3]), Conflict, words),
            (leave(2, &[3]), Conflict, words),
        ],
    );

    world.make(demote(3, &[3]));
}
