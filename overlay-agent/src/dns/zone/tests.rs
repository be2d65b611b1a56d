use super::{
    super::testing::{BLUE, RED, claim, facts, ip, put, service, task, view, vni, zone},
    *,
};

fn addresses(zone: &Zone, network: u32, name: &str) -> Option<Vec<String>> {
    let addresses = zone.names(vni(network))?.addresses(name)?;
    Some(addresses.iter().map(ToString::to_string).collect())
}

fn place(network: u32, address: &str) -> Place {
    Place {
        vni: vni(network),
        address: ip(address),
    }
}

#[test]
fn an_endpoint_is_found_by_name_alias_and_identifier() {
    let zone = zone();

    let both = Some(vec!["10.1.0.2".to_owned(), "fd00:1::2".to_owned()]);
    assert_eq!(addresses(&zone, BLUE, "box"), both);
    assert_eq!(addresses(&zone, BLUE, "cache"), both);
    assert_eq!(addresses(&zone, BLUE, "426f78000000"), both);
    assert_eq!(addresses(&zone, BLUE, "426f7800000"), None);
    assert_eq!(addresses(&zone, RED, "box"), None);
}

#[test]
fn endpoints_with_one_name_are_found_all() {
    assert_eq!(
        addresses(&zone(), BLUE, "twin").unwrap(),
        ["10.1.0.3", "10.1.0.4"]
    );
}

#[test]
fn a_service_is_its_virtual_addresses_and_its_tasks_are_those_that_take_flows() {
    let zone = zone();

    assert_eq!(
        addresses(&zone, BLUE, "web").unwrap(),
        ["10.1.0.100", "fd00:1::100"]
    );
    assert_eq!(
        addresses(&zone, BLUE, "tasks.web").unwrap(),
        ["10.1.0.11", "10.1.0.12", "fd00:1::12"]
    );
    assert_eq!(addresses(&zone, BLUE, "db").unwrap(), ["10.1.0.21"]);
    assert_eq!(addresses(&zone, BLUE, "idle").unwrap(), [""; 0]);
    assert_eq!(addresses(&zone, RED, "tasks.web").unwrap(), [""; 0]);
    assert_eq!(addresses(&zone, RED, "tasks.db"), None);
}

#[test]
fn what_changes_is_forgotten_as_it_was() {
    let mut zone = zone();

    put(&mut zone, &claim(BLUE, "crate", "10.1.0.2"));
    put(
        &mut zone,
        &task(claim(BLUE, "web.1", "10.1.0.11"), 1, TaskState::Draining),
    );
    zone.set_endpoint(place(BLUE, "10.1.0.3"), Side::Elsewhere, None);

    assert_eq!(addresses(&zone, BLUE, "box").unwrap(), ["fd00:1::2"]);
    assert_eq!(addresses(&zone, BLUE, "crate").unwrap(), ["10.1.0.2"]);
    assert_eq!(
        addresses(&zone, BLUE, "tasks.web").unwrap(),
        ["10.1.0.12", "fd00:1::12"]
    );
    assert_eq!(addresses(&zone, BLUE, "twin").unwrap(), ["10.1.0.4"]);
}

#[test]
fn a_service_that_moves_or_goes_takes_its_names_along() {
    let mut zone = zone();

    let mut moved = service(1, "front", &[(RED, &["10.1.0.200"])]);
    moved.version = 2;
    zone.set_view(&view(vec![moved]));

    assert_eq!(addresses(&zone, BLUE, "web"), None);
    assert_eq!(addresses(&zone, BLUE, "db"), None);
    assert_eq!(addresses(&zone, RED, "web"), None);
    assert_eq!(addresses(&zone, RED, "front").unwrap(), ["10.1.0.200"]);
    let names = zone.names(vni(BLUE)).unwrap();
    assert!(names.service_at(ip("10.1.0.100")).is_none());
}

#[test]
fn the_own_nodes_word_counts_more_and_the_others_is_not_forgotten() {
    let mut zone = zone();
    let place = place(BLUE, "10.1.0.2");
    let own = Endpoint::from(&claim(BLUE, "own", "10.1.0.2"));

    zone.set_endpoint(place, Side::Here, Some(own));
    assert_eq!(addresses(&zone, BLUE, "own").unwrap(), ["10.1.0.2"]);
    assert_eq!(addresses(&zone, BLUE, "box").unwrap(), ["fd00:1::2"]);

    zone.set_endpoint(place, Side::Here, None);
    assert_eq!(addresses(&zone, BLUE, "own"), None);
    assert_eq!(addresses(&zone, BLUE, "box").unwrap().len(), 2);
}

#[test]
fn nobody_is_told_of_a_network_that_is_gone() {
    let mut zone = zone();

    zone.set_networks(&BTreeMap::from([(
        vni(RED),
        facts("red", &["10.1.0.0/24"]),
    )]));

    assert!(zone.names(vni(BLUE)).is_none());
    assert!(zone.names(vni(RED)).is_some());
}

#[test]
fn nothing_is_left_of_a_network_without_names() {
    let mut zone = Zone::default();
    let claim = claim(BLUE, "box", "10.1.0.2");

    put(&mut zone, &claim);
    assert_eq!((zone.networks.len(), zone.addresses()), (1, 1));
    zone.set_endpoint(place(BLUE, "10.1.0.2"), Side::Elsewhere, None);

    assert_eq!((zone.networks.len(), zone.addresses()), (0, 0));
}

/// A hundred thousand endpoints, and a snapshot after every change: the copies must be of parts only, or this
/// takes minutes.
#[test]
fn a_large_zone_changes_in_small_pieces() {
    let mut zone = Zone::default();
    zone.set_view(&view(Vec::new()));
    let address = |number: u32| std::net::Ipv4Addr::from_bits(0x0a40_0000 + number).to_string();
    for number in 0..100_000 {
        put(
            &mut zone,
            &claim(BLUE, &format!("c{number}"), &address(number)),
        );
    }

    let mut snapshot = zone.clone();
    for number in 0..1_000 {
        put(
            &mut zone,
            &claim(BLUE, &format!("d{number}"), &address(number * 97)),
        );
        snapshot = zone.clone();
    }

    assert_eq!(snapshot.addresses(), 100_000);
    assert_eq!(
        addresses(&snapshot, BLUE, "d999").unwrap(),
        [address(999 * 97)]
    );
    assert_eq!(addresses(&snapshot, BLUE, "c97"), None);
    assert_eq!(addresses(&snapshot, BLUE, "c98").unwrap().len(), 1);
}
