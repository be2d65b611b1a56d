mod glibc;

use std::net::IpAddr;

use super::{super::testing, *};
use crate::{
    agent::directory::Directory,
    dns::Asker,
    model::{TaskState, TransitPools},
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn vni(number: u32) -> Vni {
    Vni::try_from(number).unwrap()
}

fn pools() -> TransitPools {
    TransitPools {
        ipv4: Some("100.127.0.0/16".parse().unwrap()),
        ipv6: Some("fd6f:7665:726c::/64".parse().unwrap()),
    }
}

/// The endpoint `c<number>` in a network, at a transit position, in the namespace of another one.
fn endpoint(number: u8, network: u32, transit: Option<u32>, inode: u64) -> Attachment {
    let mut attachment = testing::attachment(number);
    attachment.vni = vni(network);
    attachment.transit = transit;
    attachment.namespace.inode = inode;
    attachment.created = number.into();
    attachment
}

#[test]
fn an_asker_is_on_all_networks_of_its_namespace_in_the_order_in_which_it_came_to_them() {
    let mut directory = Directory::default();
    directory.insert(endpoint(1, 4099, Some(1), 7));
    directory.insert(endpoint(2, 4096, None, 7));
    directory.insert(endpoint(3, 4097, Some(3), 8));
    let mut cut_off = endpoint(4, 4098, Some(4), 7);
    cut_off.conflict = Some("lost".to_owned());
    directory.insert(cut_off);

    let behind = |text: &str| askers::behind(&directory, pools(), ip(text));

    let first = Some(Asker {
        networks: vec![vni(4099), vni(4096)],
    });
    assert_eq!(behind("100.127.0.1"), first);
    assert_eq!(behind("fd6f:7665:726c::1"), first);
    let other = Some(Asker {
        networks: vec![vni(4097)],
    });
    assert_eq!(behind("100.127.0.3"), other);
    for stranger in [
        "100.127.0.2",
        "100.127.0.9",
        "10.1.0.2",
        "127.0.0.1",
        "169.254.53.53",
        "::1",
    ] {
        assert_eq!(behind(stranger), None, "{stranger}");
    }
}

#[test]
fn a_detached_endpoint_asks_no_more() {
    let mut directory = Directory::default();
    let endpoint = endpoint(1, 4096, Some(1), 7);
    let id = endpoint.id.clone();
    directory.insert(endpoint);

    directory.remove(&id);

    assert_eq!(askers::behind(&directory, pools(), ip("100.127.0.1")), None);
}

#[test]
fn what_is_claimed_has_names_until_it_is_withdrawn() {
    let names = Names::default();
    let claim = Claim {
        vni: vni(4096),
        address: ip("10.1.0.2"),
        name: "box".to_owned(),
        endpoint: "ab".repeat(32),
        mac: None,
        aliases: Vec::new(),
        task: Some(crate::model::TaskClaim {
            service: crate::model::ServiceId::from_random(1),
            state: TaskState::Running,
        }),
        index: 1,
    };
    let place = Place {
        vni: claim.vni,
        address: ip("10.1.0.9"),
    };

    names.claim(&claim);
    names.claims(&[(place, Some((NodeId::from_random(2), claim.clone())))]);
    assert_eq!(names.state().addresses, 2);

    names.withdraw(claim.vni, claim.address);
    names.claims(&[(place, None)]);
    assert_eq!(names.state().addresses, 0);
}
