//! Beginning a cluster, tokens, authorities and keys.

use super::{
    super::{
        super::{
            Change, Init, Pool,
            RefusalKind::{BadRequest, Conflict, NotFound},
        },
        world::{World, authority, init, net, node, text},
    },
    check,
};
use crate::model::Role;

fn with(change: impl Fn(&mut Init)) -> Change {
    let mut init = init();
    change(&mut init);
    Change::Init(Box::new(init))
}

fn with_pools(pools: &[(&str, u8)]) -> Change {
    with(|init| {
        let pools = pools.iter().map(|(text, mask_length)| Pool {
            net: net(text),
            mask_length: *mask_length,
        });
        init.pools = pools.collect();
    })
}

#[test]
fn a_cluster_that_cannot_begin() {
    let mut world = World::empty();
    check(
        &mut world,
        [
            (
                Change::Reap { after: 0 },
                Conflict,
                "this node is not a swarm manager: no cluster was begun here",
            ),
            (
                with(|init| init.data_path_port = 1023),
                BadRequest,
                "data path port 1023 is out of range",
            ),
            (
                with_pools(&[("10.1.0.0/8", 24)]),
                BadRequest,
                "10.1.0.0/8 has bits set behind its prefix",
            ),
            (
                with_pools(&[("224.0.0.0/8", 24)]),
                BadRequest,
                "224.0.0.0/8 holds multicast addresses (224.0.0.0/4)",
            ),
            (
                with_pools(&[("10.0.0.0/8", 7)]),
                BadRequest,
                "default address pool 10.0.0.0/8 cannot be cut into subnets of /7",
            ),
            (
                with_pools(&[("10.0.0.0/8", 31)]),
                BadRequest,
                "default address pool 10.0.0.0/8 cannot be cut into subnets of /31",
            ),
            (
                with_pools(&[("10.0.0.0/8", 24), ("10.7.0.0/16", 24)]),
                BadRequest,
                "default address pool 10.7.0.0/16 overlaps pool 10.0.0.0/8",
            ),
            (
                with(|init| init.manager_token = init.worker_token.clone()),
                BadRequest,
                "the secret of the worker token is empty or the other token's",
            ),
        ],
    );
    assert_eq!(world.state.cluster_id(), None);
}

#[test]
fn a_cluster_that_is_there() {
    let mut world = World::with_nodes(2);
    let rotate = |role, secret| Change::RotateToken {
        role,
        secret: text(secret),
    };
    let start = |name| Change::StartAuthorityRotation {
        next: authority(name),
        bundle: "certificate of first".to_owned(),
    };
    let same = "the new root CA is the current one or has no name";
    check(
        &mut world,
        [
            (
                with(|_| ()),
                Conflict,
                "this node is already part of a swarm",
            ),
            (
                rotate(Role::Manager, "for workers"),
                BadRequest,
                "the secret of the manager token is empty or the other token's",
            ),
            (
                rotate(Role::Worker, ""),
                BadRequest,
                "the secret of the worker token is empty or the other token's",
            ),
            (start("first"), BadRequest, same),
            (start(""), BadRequest, same),
            (
                Change::FinishAuthorityRotation { force: true },
                Conflict,
                "no root CA rotation is under way",
            ),
            (
                Change::ReportCertificate {
                    node: node(9),
                    authority: "first".to_owned(),
                },
                NotFound,
                "node 0000000000000000000000009 not found",
            ),
            (
                Change::RetireKeys { oldest: 2 },
                Conflict,
                "key 2 is not the primary one or an older one",
            ),
        ],
    );
}

#[test]
fn an_authority_that_not_all_nodes_have() {
    let mut world = World::with_nodes(2);
    world.make(Change::StartAuthorityRotation {
        next: authority("second"),
        bundle: "certificate of first, certificate of second".to_owned(),
    });
    world.make(Change::ReportCertificate {
        node: node(1),
        authority: "second".to_owned(),
    });
    check(
        &mut world,
        [(
            Change::FinishAuthorityRotation { force: false },
            Conflict,
            "1 nodes still have certificates of the old root CA, among them 0000000000000000000000002",
        )],
    );
}
