use proptest::prelude::*;

use super::{
    super::testing::{BLUE, INGRESS, RED, VAULT, claim, ip, on, put, service, view, zone},
    *,
};

/// What an asker on these networks is told, in a line: addresses and names as they stand in the answer.
fn told(networks: &[u32], name: &str, kind: Kind) -> String {
    line(&lookup(&zone(), &on(networks), name, kind))
}

fn line(meaning: &Meaning) -> String {
    let answer = match meaning {
        Meaning::Ours(answer) if !answer.exists => return "no such name".to_owned(),
        Meaning::Ours(answer) => answer,
        Meaning::Forward => return "forward".to_owned(),
        Meaning::Refused => return "refused".to_owned(),
    };
    let records = answer.records.iter().map(|record| match record {
        Record::Address(address) => address.to_string(),
        Record::Pointer(name) => name.clone(),
        Record::Service { port, host } => format!("{host}:{port}"),
    });
    records.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_kind_of_name_has_its_meaning() {
    for (networks, name, kind, expected) in [
        // Endpoints.
        (&[BLUE][..], "box", Kind::A, "10.1.0.2"),
        (&[BLUE], "box", Kind::Aaaa, "fd00:1::2"),
        (&[BLUE], "box", Kind::Any, "10.1.0.2 fd00:1::2"),
        (&[BLUE], "box", Kind::Other, ""),
        (&[BLUE], "box", Kind::Ptr, ""),
        (&[BLUE], "box", Kind::Srv, ""),
        (&[BLUE], "cache", Kind::A, "10.1.0.2"),
        (&[BLUE], "426f78000000", Kind::A, "10.1.0.2"),
        (&[BLUE], "twin", Kind::A, "10.1.0.3 10.1.0.4"),
        (&[BLUE], "twin", Kind::Aaaa, ""),
        (&[BLUE], "box.blue", Kind::A, "10.1.0.2"),
        (&[BLUE], "web.1", Kind::A, "10.1.0.11"),
        (&[BLUE], "web.1.blue", Kind::A, "10.1.0.11"),
        // Services.
        (&[BLUE], "web", Kind::A, "10.1.0.100"),
        (&[BLUE], "web", Kind::Aaaa, "fd00:1::100"),
        (&[BLUE], "web.blue", Kind::A, "10.1.0.100"),
        (&[RED], "web", Kind::A, "10.1.0.200"),
        (&[RED, BLUE], "web", Kind::A, "10.1.0.200"),
        (&[BLUE, RED], "web", Kind::A, "10.1.0.100"),
        (&[BLUE, RED], "web.red", Kind::A, "10.1.0.200"),
        (&[INGRESS, RED], "web", Kind::A, "10.1.0.200"),
        (&[INGRESS], "web", Kind::A, "10.0.0.100"),
        (&[BLUE], "tasks.web", Kind::A, "10.1.0.11 10.1.0.12"),
        (&[BLUE], "tasks.web.blue", Kind::Aaaa, "fd00:1::12"),
        (&[BLUE], "db", Kind::A, "10.1.0.21"),
        (&[BLUE], "tasks.db", Kind::A, "10.1.0.21"),
        (&[BLUE], "idle", Kind::A, ""),
        // Ports.
        (&[BLUE], "_80._tcp.web", Kind::Srv, "Web.blue:80"),
        (&[BLUE], "_80._tcp.web.blue", Kind::Srv, "Web.blue:80"),
        (
            &[BLUE],
            "_80._tcp.tasks.web",
            Kind::Srv,
            "web.1.blue:80 web.2.blue:80",
        ),
        (&[BLUE], "_80._tcp.db", Kind::Srv, "db.1.blue:80"),
        (&[BLUE], "web", Kind::Srv, "Web.blue:80"),
        (&[BLUE], "_80._udp.web", Kind::Srv, "no such name"),
        (&[BLUE], "_8080._tcp.web", Kind::Srv, "no such name"),
        (&[BLUE], "_80._tcp.nothing", Kind::Srv, "forward"),
        (&[BLUE], "_80._tcp.idle", Kind::Srv, ""),
        // Others'.
        (&[RED], "box", Kind::A, "forward"),
        (&[RED], "box.blue", Kind::A, "forward"),
        (&[BLUE], "secret", Kind::A, "forward"),
        (&[BLUE], "secret.red", Kind::A, "forward"),
        (&[BLUE], "nothing.blue", Kind::A, "forward"),
        (&[BLUE], "example.com", Kind::A, "forward"),
        (&[BLUE], "", Kind::Other, "forward"),
        (&[VAULT], "safe", Kind::A, "10.3.0.2"),
        (&[VAULT], "example.com", Kind::A, "refused"),
        (&[VAULT, BLUE], "example.com", Kind::A, "forward"),
        (&[], "box", Kind::A, "refused"),
    ] {
        assert_eq!(
            told(networks, name, kind),
            expected,
            "{networks:?} {name} {kind:?}"
        );
    }
}

#[test]
fn addresses_have_names_on_the_networks_that_the_asker_is_on() {
    for (networks, address, expected) in [
        (&[BLUE][..], "10.1.0.2", "Box.blue"),
        (&[RED], "10.1.0.2", "secret.red"),
        (&[RED, BLUE], "10.1.0.2", "secret.red Box.blue"),
        (&[BLUE], "fd00:1::2", "Box.blue"),
        (&[RED], "fd00:1::2", "forward"),
        (&[BLUE], "10.1.0.100", "Web.blue"),
        // Two are called twin, so neither is.
        (&[BLUE], "10.1.0.3", "7477696e0000.blue"),
        (&[BLUE], "10.1.0.4", "eeeeeeeeeeee.blue"),
        // The gateway, and what nobody has.
        (&[BLUE], "10.1.0.1", "no such name"),
        (&[BLUE], "192.0.2.1", "forward"),
        (&[VAULT], "192.0.2.1", "refused"),
    ] {
        let name = reverse::name(ip(address));
        assert_eq!(
            told(networks, &name, Kind::Ptr),
            expected,
            "{networks:?} {address}"
        );
    }
    let name = reverse::name(ip("10.1.0.2"));
    assert_eq!(told(&[BLUE], &name, Kind::A), "");
}

#[test]
fn ports_come_with_the_addresses_of_their_hosts() {
    let Meaning::Ours(answer) = lookup(&zone(), &on(&[BLUE]), "tasks.web", Kind::Srv) else {
        panic!("tasks.web is ours");
    };

    let additional: Vec<String> = answer
        .additional
        .iter()
        .map(|(host, address)| format!("{host} {address}"))
        .collect();
    assert_eq!(
        additional,
        [
            "web.1.blue 10.1.0.11",
            "web.2.blue 10.1.0.12",
            "web.2.blue fd00:1::12"
        ]
    );
}

#[test]
fn an_endpoint_whose_name_no_answer_can_hold_is_told_by_its_identifier() {
    let mut zone = zone();
    let long = "x".repeat(64);
    put(&mut zone, &claim(BLUE, &long, "10.1.0.30"));

    let asker = on(&[BLUE]);
    let told = lookup(&zone, &asker, &reverse::name(ip("10.1.0.30")), Kind::Ptr);

    assert_eq!(line(&told), "787878787878.blue");
    assert_eq!(
        line(&lookup(&zone, &asker, "787878787878", Kind::A)),
        "10.1.0.30"
    );
}

#[test]
fn services_whose_names_differ_in_case_answer_together() {
    let mut zone = zone();
    zone.set_view(&view(vec![
        service(1, "api", &[(BLUE, &["10.1.0.100"])]),
        service(2, "API", &[(BLUE, &["10.1.0.101"])]),
    ]));

    let told = lookup(&zone, &on(&[BLUE]), "api", Kind::A);

    assert_eq!(line(&told), "10.1.0.100 10.1.0.101");
}

fn some_name() -> impl Strategy<Value = String> {
    let label = prop::sample::select(vec![
        "box",
        "cache",
        "twin",
        "web",
        "db",
        "idle",
        "tasks",
        "secret",
        "safe",
        "blue",
        "red",
        "vault",
        "ingress",
        "1",
        "2",
        "_80",
        "_tcp",
        "426f78000000",
        "7365637265740",
        "com",
        "in-addr",
        "arpa",
    ]);
    let labels = prop::collection::vec(label, 0..6).prop_map(|labels| labels.join("."));
    let address =
        (0_u8..4, 0_u8..220).prop_map(|(net, last)| format!("{last}.0.{net}.10.in-addr.arpa"));
    prop_oneof![labels, address, "[ -~]{0,20}"]
}

fn some_kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![
        Kind::A,
        Kind::Aaaa,
        Kind::Any,
        Kind::Ptr,
        Kind::Srv,
        Kind::Other,
    ])
}

proptest! {
    /// What somebody is told is the same whether the networks that they are not on are there or not.
    #[test]
    fn nobody_is_told_of_a_network_that_they_are_not_on(
        name in some_name(),
        kind in some_kind(),
        seen in prop::collection::vec(prop::sample::select(vec![BLUE, RED, VAULT, INGRESS]), 0..4),
    ) {
        let asker = on(&seen);
        let whole = zone();
        let mut part = whole.clone();
        let of_seen = |network: &&u32| seen.contains(network);
        let facts = [BLUE, RED, VAULT, INGRESS].iter().filter(of_seen).filter_map(|network| {
            let vni = super::super::testing::vni(*network);
            Some((vni, whole.names(vni)?.facts()?.clone()))
        });
        part.set_networks(&facts.collect());

        prop_assert_eq!(lookup(&whole, &asker, &name, kind), lookup(&part, &asker, &name, kind));
    }
}
