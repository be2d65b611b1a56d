//! What keeps the way out: audits, and that it needs no agent.

use super::*;

/// What somebody does to a host.
type Damage<'a> = &'a dyn Fn() -> Result<()>;

#[test]
fn what_somebody_takes_away_is_back_after_one_audit() {
    let scene = Scene::new();
    let guest = scene.guest("one");
    let namespace = scene.host.namespace();
    let device = |line: &str| namespace.ip(&[line]).map(drop);
    let cases: [(&str, Damage<'_>, &str); 7] = [
        (
            "the table",
            &|| nft(namespace, "delete table ip overlay"),
            "nftables",
        ),
        (
            "IPv6's table",
            &|| nft(namespace, "delete table ip6 overlay"),
            "nftables",
        ),
        (
            "a chain's rules",
            &|| nft(namespace, "flush chain ip overlay hide"),
            "nftables",
        ),
        (
            "an address",
            &|| device("address del 169.254.53.53/32 dev ovgw"),
            "gateway",
        ),
        (
            "a route",
            &|| device(&format!("route del {POOL}")),
            "gateway",
        ),
        (
            "the near end's state",
            &|| device("link set ovgw down"),
            "gateway",
        ),
        ("the gateway", &|| device("link del ovgw"), "gateway"),
    ];
    for (what, take, kind) in cases {
        take().unwrap_or_else(|error| panic!("{what}: {error:#}"));

        let repaired = scene.audit();

        assert!(
            repaired.iter().any(|repair| repair == kind),
            "{what}: {repaired:?}"
        );
        scene
            .talk(guest.namespace())
            .unwrap_or_else(|error| panic!("{what}: {error:#}"));
    }
}

#[test]
fn rules_that_somebody_changed_are_put_right() {
    let scene = Scene::new();
    let guest = scene.guest("one");
    let namespace = scene.host.namespace();
    nft(namespace, "insert rule ip overlay guard drop").expect("a rule");
    assert!(scene.talk(guest.namespace()).is_err());

    assert_eq!(scene.audit(), ["nftables"]);

    scene.talk(guest.namespace()).expect("reached");
}

#[test]
fn connections_go_on_without_the_agent() {
    let mut scene = Scene::new();
    let guest = scene.guest("one");
    let [outside, _] = both(&scene.outside);
    let server = listen(&scene.outside.namespace, outside).expect("a server");
    let mut client =
        connect(guest.namespace(), None, server.local_addr().unwrap()).expect("connected");
    let (mut accepted, _) = server.accept().expect("a client");
    accepted.set_read_timeout(Some(PATIENCE)).expect("set");

    scene.host.kill_agent().expect("killed");
    client.write_all(b"still here").expect("sent");
    let mut read = [0; 10];
    accepted.read_exact(&mut read).expect("received");
    scene.talk(guest.namespace()).expect("new connections too");

    scene.host.start_agent().expect("started");
    assert_eq!(scene.audit(), [""; 0]);
    client.write_all(b"and now   ").expect("sent");
    accepted.read_exact(&mut read).expect("received");
    assert_eq!(scene.transit("one")[0].to_string(), "100.127.0.1");
}

#[test]
fn a_pool_that_the_host_uses_is_refused_and_the_rest_works() {
    let scene = Scene::idle(|config| config);
    let mut scene = scene;
    scene
        .host
        .namespace()
        .ip(&[format!("route add {POOL} via {}", both(&scene.outside)[0])])
        .expect("a route");
    scene.host.start_agent().expect("started");
    let (one, two) = (scene.guest("one"), scene.guest("two"));

    answers(Ping::new(one.namespace(), two.v4().into())).expect("the network works");
    assert_eq!(lost(one.namespace(), both(&scene.outside)[0]).received, 0);
    let said = overlay_tests::process::capture(&mut scene.host.cli(&["doctor"]));
    let said = said.expect("a diagnosis").stdout;
    assert!(said.contains("overlaps") && said.contains(POOL), "{said}");
}

#[test]
fn switched_off_there_is_no_way_out() {
    let scene = Scene::with(StaticConfig::without_outside);
    let guest = scene.guest("one");

    let links = scene
        .host
        .namespace()
        .exec("ip", &["-o", "link"])
        .expect("links");
    assert!(!links.contains("ovgw"), "{links}");
    let tables = scene
        .host
        .namespace()
        .exec("nft", &["list", "tables"])
        .expect("tables");
    assert!(!tables.contains("overlay"), "{tables}");
    let routes = guest.exec("ip", &["route"]).expect("routes");
    assert!(!routes.contains("default"), "{routes}");
}
