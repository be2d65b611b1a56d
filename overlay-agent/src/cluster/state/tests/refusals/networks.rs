//! Networks.

use super::{
    super::{
        super::{
            Change, CreateNetwork, Family, Init, Pool,
            RefusalKind::{self, BadRequest, Conflict, Forbidden, NotFound},
        },
        world::{World, address, id, init, net, nets, wish},
    },
    check,
};
use crate::model::Role;

const VXLANID_LIST: &str = "com.docker.network.driver.overlay.vxlanid_list";
const MTU: &str = "com.docker.network.driver.mtu";

fn creating(change: impl Fn(&mut CreateNetwork)) -> Change {
    let mut wish = wish(2, "back");
    change(&mut wish);
    Change::CreateNetwork(Box::new(wish))
}

/// A cluster with network `front`: 10.1.0.0/24, VNI 4096.
fn world() -> World {
    let mut world = World::with_nodes(1);
    world.create(CreateNetwork {
        subnets: nets(&["10.1.0.0/24"]),
        ..wish(1, "front")
    });
    world
}

#[test]
fn names() {
    let named = |name: &str| {
        let name = name.to_owned();
        creating(move |wish| wish.name.clone_from(&name))
    };
    check(
        &mut world(),
        [
            (named(""), BadRequest, "invalid network name ``"),
            (named("-x"), BadRequest, "invalid network name `-x`"),
            (named("a b"), BadRequest, "invalid network name `a b`"),
            (named("a/b"), BadRequest, "invalid network name `a/b`"),
            (
                named("host"),
                Forbidden,
                "operation is not permitted on predefined host network",
            ),
            (
                named("front"),
                Conflict,
                "network with name front already exists",
            ),
            (
                creating(|wish| wish.id = id(1)),
                Conflict,
                "network identifier 0000000000000000000000001 is in use by network front",
            ),
            (
                creating(|wish| {
                    wish.labels.insert(String::new(), String::new());
                }),
                BadRequest,
                "label without a name before its `=`",
            ),
        ],
    );
}

#[test]
fn subnets() {
    let with = |subnets: &[&str]| {
        let subnets = nets(subnets);
        creating(move |wish| wish.subnets.clone_from(&subnets))
    };
    check(
        &mut world(),
        [
            (
                with(&["10.2.0.1/24"]),
                BadRequest,
                "10.2.0.1/24 has bits set behind its prefix",
            ),
            (
                with(&["10.2.0.0/31"]),
                BadRequest,
                "subnet 10.2.0.0/31 is too small for a gateway and a container",
            ),
            (
                with(&["fd00::/127"]),
                BadRequest,
                "subnet fd00::/127 is too small for a gateway and a container",
            ),
            (
                with(&["127.1.0.0/24"]),
                BadRequest,
                "127.1.0.0/24 holds loopback addresses (127.0.0.0/8)",
            ),
            (
                with(&["10.2.0.0/24", "10.2.0.0/25"]),
                BadRequest,
                "subnet 10.2.0.0/25 overlaps subnet 10.2.0.0/24 of the same network",
            ),
            (
                with(&["10.0.0.0/8"]),
                Conflict,
                "subnet 10.0.0.0/8 overlaps 10.1.0.0/24 of network front",
            ),
            (
                creating(|wish| {
                    wish.subnets = nets(&["192.168.7.0/24"]);
                    wish.host_routes = nets(&["0.0.0.0/0", "192.168.0.0/16"]);
                }),
                Conflict,
                "subnet 192.168.7.0/24 overlaps the host's route to 192.168.0.0/16",
            ),
            (
                creating(|wish| wish.families.clear()),
                BadRequest,
                "IPv4 or IPv6 must be enabled",
            ),
        ],
    );
}

#[test]
fn ranges_gateways_and_kept_addresses() {
    type Wrong = fn(&mut CreateNetwork);
    let with = |change: Wrong| {
        creating(move |wish| {
            wish.subnets = nets(&["10.2.0.0/24"]);
            change(wish);
        })
    };
    let cases: [(Wrong, RefusalKind, &'static str); 9] = [
        (
            |wish| wish.ranges = nets(&["10.3.0.0/25"]),
            BadRequest,
            "no matching subnet for range 10.3.0.0/25",
        ),
        (
            |wish| wish.ranges = nets(&["10.2.0.0/23"]),
            BadRequest,
            "no matching subnet for range 10.2.0.0/23",
        ),
        (
            |wish| wish.ranges = nets(&["10.2.0.9/25"]),
            BadRequest,
            "10.2.0.9/25 has bits set behind its prefix",
        ),
        (
            |wish| wish.ranges = nets(&["10.2.0.0/26", "10.2.0.64/26"]),
            BadRequest,
            "cannot configure multiple ranges (10.2.0.64/26, 10.2.0.0/26) on the same subnet \
             (10.2.0.0/24)",
        ),
        (
            |wish| wish.gateways = vec![address("fd00::1")],
            BadRequest,
            "no matching subnet for gateway fd00::1",
        ),
        (
            |wish| wish.gateways = vec![address("10.2.0.0")],
            BadRequest,
            "10.2.0.0 is the network address of subnet 10.2.0.0/24: no host can have it",
        ),
        (
            |wish| wish.gateways = vec![address("10.2.0.255")],
            BadRequest,
            "10.2.0.255 is the broadcast address of subnet 10.2.0.0/24: no host can have it",
        ),
        (
            |wish| wish.gateways = vec![address("10.2.0.1"), address("10.2.0.2")],
            BadRequest,
            "cannot configure multiple gateways (10.2.0.2, 10.2.0.1) for the same subnet \
             (10.2.0.0/24)",
        ),
        (
            |wish| wish.kept = vec![address("10.4.0.1")],
            BadRequest,
            "no matching subnet for aux-address 10.4.0.1",
        ),
    ];
    let cases = cases.map(|(change, kind, words)| (with(change), kind, words));
    check(&mut world(), cases);
}

#[test]
fn options() {
    let with = |option: &str, value: &str| {
        let (option, value) = (option.to_owned(), value.to_owned());
        creating(move |wish| {
            wish.options.insert(option.clone(), value.clone());
        })
    };
    check(
        &mut world(),
        [
            (
                with(VXLANID_LIST, "4096"),
                Conflict,
                "VNI 4096 is in use by network front",
            ),
            (
                with(VXLANID_LIST, "5000,5001"),
                BadRequest,
                "option com.docker.network.driver.overlay.vxlanid_list=5000,5001: name one VNI, a \
                 number from 1 to 16777215",
            ),
            (
                with(VXLANID_LIST, "16777216"),
                BadRequest,
                "option com.docker.network.driver.overlay.vxlanid_list=16777216: 16777216 is no VNI; \
                 choose one from 1 to 16777215",
            ),
            (
                with("encrypted", "perhaps"),
                BadRequest,
                "option encrypted=perhaps: it is on without a value, or `true` or `false`",
            ),
            (
                with(MTU, "575"),
                BadRequest,
                "option com.docker.network.driver.mtu=575: it is too small: IPv4 needs 576",
            ),
            (
                with(MTU, "65486"),
                BadRequest,
                "option com.docker.network.driver.mtu=65486: it is too big: 50 bytes of outer \
                 headers leave 65485",
            ),
            (
                with(MTU, "-1"),
                BadRequest,
                "option com.docker.network.driver.mtu=-1: it is no number from 576 to 65485",
            ),
            (
                with("", "x"),
                BadRequest,
                "option without a name before its `=`",
            ),
        ],
    );
}

#[test]
fn a_network_that_cannot_go() {
    let mut world = world();
    let remove = |number, endpoints| Change::RemoveNetwork {
        network: id(number),
        endpoints,
    };
    check(
        &mut world,
        [
            (
                remove(9, 0),
                NotFound,
                "network 0000000000000000000000009 not found",
            ),
            (
                remove(1, 2),
                Conflict,
                "network front has active endpoints (2)",
            ),
        ],
    );
}

#[test]
fn exhausted_pools() {
    let mut world = World::empty();
    world.make(Change::Init(Box::new(Init {
        pools: vec![Pool {
            net: net("10.7.0.0/25"),
            mask_length: 26,
        }],
        ..init()
    })));
    world.make(Change::Join(Box::new(super::super::world::join(
        1,
        Role::Manager,
    ))));
    world.create(wish(1, "one"));
    check(
        &mut world,
        [
            (
                creating(|wish| wish.host_routes = nets(&["10.7.0.64/32"])),
                Conflict,
                "all predefined address pools have been fully subnetted (IPv4)",
            ),
            (
                creating(|wish| {
                    wish.families = [Family::Ipv6].into();
                    wish.host_routes = nets(&["fd00::/8"]);
                }),
                Conflict,
                "all predefined address pools have been fully subnetted (IPv6)",
            ),
        ],
    );
    world.create(wish(2, "two"));
    check(
        &mut world,
        [(
            Change::CreateNetwork(Box::new(wish(3, "three"))),
            Conflict,
            "all predefined address pools have been fully subnetted (IPv4)",
        )],
    );
}
