use super::*;
use crate::{
    agent::testing::{attachment, blue, desired},
    api::ErrorKind,
    model::RemoteEndpoint,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn choose(desired: &Desired, directory: &Directory, wishes: &[&str]) -> Result<Chosen, ApiError> {
    choose_from(Origin::File, desired, directory, wishes).map_err(|error| match error {
        NoAddress::Refused(error) => error,
        NoAddress::Lacks(need) => panic!("a file gives no more: {need:?}"),
    })
}

/// Chooses where single addresses are found by looking at every node.
fn choose_from(
    origin: Origin,
    desired: &Desired,
    directory: &Directory,
    wishes: &[&str],
) -> Result<Chosen, NoAddress> {
    let listed_at = |place: Place| {
        let has = |endpoint: &RemoteEndpoint| {
            endpoint.vni == place.vni && endpoint.address == place.address
        };
        desired
            .nodes
            .iter()
            .find(|node| node.endpoints.iter().any(has))
    };
    let addresses = Addresses {
        desired,
        network: &desired.networks[0],
        directory,
        listed_at: &listed_at,
        origin,
    };
    let wishes: Vec<IpAddr> = wishes.iter().map(|wish| ip(wish)).collect();
    addresses.choose(&wishes)
}

fn v4(chosen: Result<Chosen, ApiError>) -> String {
    chosen.unwrap().ipv4.unwrap().0.to_string()
}

#[test]
fn the_lowest_free_address_that_is_not_reserved_is_chosen() {
    let mut directory = Directory::default();

    let chosen = choose(&desired(), &directory, &[]).unwrap();

    assert_eq!(chosen.ipv4, Some(("10.1.0.2".parse().unwrap(), 24)));
    assert_eq!(chosen.ipv6, Some(("fd00:1::2".parse().unwrap(), 64)));

    for number in [1, 2, 4] {
        directory.insert(attachment(number));
    }
    assert_eq!(v4(choose(&desired(), &directory, &[])), "10.1.0.4");
}

#[test]
fn a_full_block_is_refused_and_the_next_one_is_used() {
    let mut directory = Directory::default();
    for number in 1..=6 {
        directory.insert(attachment(number));
    }

    let error = choose(&desired(), &directory, &[]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.error.contains("10.1.0.0/29"), "{error}");

    let mut wider = desired();
    let blocks = wider.nodes[0].blocks.get_mut(&blue()).unwrap();
    blocks.push("10.1.0.128/30".parse().unwrap());
    assert_eq!(v4(choose(&wider, &directory, &[])), "10.1.0.128");
}

#[test]
fn a_wish_decides_its_family_and_the_other_is_chosen() {
    let chosen = choose(&desired(), &Directory::default(), &["10.1.0.5"]).unwrap();

    assert_eq!(chosen.ipv4, Some(("10.1.0.5".parse().unwrap(), 24)));
    assert_eq!(chosen.ipv6, Some(("fd00:1::2".parse().unwrap(), 64)));
}

#[test]
fn impossible_wishes_are_refused_by_name() {
    let mut directory = Directory::default();
    directory.insert(attachment(1));
    let mut desired = desired();
    let k = RemoteEndpoint {
        vni: blue(),
        address: ip("10.1.0.4"),
        mac: None,
    };
    desired.nodes[1].endpoints.push(k);

    for (wish, kind, told) in [
        ("10.2.0.5", ErrorKind::BadRequest, "in no subnet"),
        ("10.1.0.1", ErrorKind::Conflict, "the gateway"),
        ("10.1.0.0", ErrorKind::Conflict, "the network address"),
        ("10.1.0.255", ErrorKind::Conflict, "the broadcast address"),
        ("10.1.0.2", ErrorKind::Conflict, "taken by endpoint c1"),
        ("10.1.0.70", ErrorKind::Conflict, "belongs to node b"),
        ("10.1.0.4", ErrorKind::Conflict, "belongs to node b"),
        ("10.1.0.200", ErrorKind::Conflict, "in no node's block"),
    ] {
        let error = choose(&desired, &directory, &[wish]).unwrap_err();
        assert_eq!(error.kind, kind, "{wish}: {error}");
        assert!(error.error.contains(told), "{wish}: {error}");
        assert!(error.help.is_some(), "{wish}");
    }
    let error = choose(&desired, &directory, &["10.1.0.5", "10.1.0.6"]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
}

#[test]
fn an_address_listed_at_another_node_is_never_chosen_and_an_own_one_may_be_asked_for() {
    let mut desired = desired();
    let at = |address| RemoteEndpoint {
        vni: blue(),
        address: ip(address),
        mac: None,
    };
    desired.nodes[1].endpoints.push(at("10.1.0.2"));
    desired.nodes[0].endpoints.push(at("10.1.0.201"));

    assert_eq!(v4(choose(&desired, &Directory::default(), &[])), "10.1.0.3");
    assert_eq!(
        v4(choose(&desired, &Directory::default(), &["10.1.0.201"])),
        "10.1.0.201"
    );
}

#[test]
fn a_node_without_blocks_says_so() {
    let mut desired = desired();
    desired.nodes[0].blocks.clear();

    let error = choose(&desired, &Directory::default(), &[]).unwrap_err();

    assert!(error.error.contains("no address block"), "{error}");
}

#[test]
fn what_the_managers_may_still_give_is_asked_for() {
    let choose = |desired: &Desired, directory: &Directory, wishes: &[&str]| {
        choose_from(Origin::Managers, desired, directory, wishes)
    };
    let any = |is_ipv4| Err(NoAddress::Lacks(Need::Any { is_ipv4 }));
    let mut directory = Directory::default();

    assert!(choose(&desired(), &directory, &[]).is_ok());
    for wish in ["10.1.0.200", "10.1.0.70"] {
        assert_eq!(
            choose(&desired(), &directory, &[wish]),
            Err(NoAddress::Lacks(Need::Exact(ip(wish)))),
            "nobody's, or inside another's block"
        );
    }
    for number in 1..=6 {
        directory.insert(attachment(number));
    }
    assert_eq!(choose(&desired(), &directory, &[]), any(true));
    let mut bare = desired();
    bare.nodes[0].blocks.clear();
    assert_eq!(choose(&bare, &Directory::default(), &[]), any(true));
    bare.networks[0].subnets.remove(0);
    assert_eq!(choose(&bare, &Directory::default(), &[]), any(false));

    let gateway = choose(&desired(), &directory, &["10.1.0.1"]);
    assert!(matches!(gateway, Err(NoAddress::Refused(_))), "{gateway:?}");
}

#[test]
fn a_single_address_that_another_node_has_inside_our_block_is_not_given_away() {
    let mut desired = desired();
    let single = "10.1.0.2/32".parse().unwrap();
    let blocks = desired.nodes[1].blocks.get_mut(&blue()).unwrap();
    blocks.push(single);

    assert_eq!(v4(choose(&desired, &Directory::default(), &[])), "10.1.0.3");
    let error = choose(&desired, &Directory::default(), &["10.1.0.2"]).unwrap_err();
    assert!(error.error.contains("belongs to node b"), "{error}");
}
