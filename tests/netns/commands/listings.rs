//! Making and showing endpoints and networks.

use overlay_tests::{Container, Pair, cluster::BLUE, link, process};

use super::{answer, names};

#[test]
fn endpoints_are_shown_as_table_json_and_template() {
    let pair = Pair::start().expect("a pair");

    let table = pair.a.overlay(&["endpoint", "ls"]).expect("a table");
    let (_, list) = answer(&pair.a, &["endpoint", "ls"]);
    let (_, inspected) = answer(&pair.a, &["endpoint", "inspect", "one"]);
    let template = "{{.Name}}={{.IPv4}}";
    let line = pair
        .a
        .overlay(&["--format", template, "endpoint", "ls"])
        .expect("a line");
    let quiet = pair
        .a
        .overlay(&["endpoint", "ls", "--quiet"])
        .expect("an identifier");

    let mut lines = table.lines();
    let header = lines.next().expect("a header");
    let titles: Vec<&str> = header
        .split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect();
    assert_eq!(
        titles,
        [
            "ENDPOINT ID",
            "NAME",
            "NETWORK",
            "IPV4",
            "IPV6",
            "MAC ADDRESS",
            "INTERFACE",
            "STATE"
        ]
    );
    let cells: Vec<&str> = lines.next().expect("a row").split_whitespace().collect();
    let rest = [
        "one",
        BLUE,
        "10.1.0.2/23",
        "fd00:1::2/64",
        "02:42:0a:01:00:02",
        "eth0",
        "up",
    ];
    assert_eq!(cells[1..], rest);
    assert_eq!(lines.next(), None);
    assert_eq!(list, inspected);
    let one = &list[0];
    assert_eq!(one["name"], "one");
    assert_eq!(one["network"], BLUE);
    assert_eq!(one["vni"], 4096);
    assert_eq!(one["ipv4"], "10.1.0.2/23");
    assert_eq!(one["mtu"], 1450);
    assert_eq!(one["state"], "up");
    assert!(
        one["id"]
            .as_str()
            .is_some_and(|id| id.len() == 64 && id.starts_with(cells[0]))
    );
    assert_eq!(line, "one=10.1.0.2/23\n");
    assert_eq!(quiet.trim(), cells[0]);
    let (_, by_id) = answer(&pair.a, &["endpoint", "inspect", cells[0]]);
    assert_eq!(by_id, inspected);
}

#[test]
fn an_endpoint_whose_interface_is_switched_off_is_down() {
    let pair = Pair::start().expect("a pair");
    pair.one
        .namespace()
        .ip(&["link set eth0 down"])
        .expect("down");

    let (_, list) = answer(&pair.a, &["endpoint", "ls"]);

    assert_eq!(list[0]["state"], "down");
}

#[test]
fn networks_are_shown_with_containers_and_peers() {
    let pair = Pair::start().expect("a pair");

    let table = pair.a.overlay(&["network", "ls"]).expect("a table");
    let (_, blue) = answer(&pair.a, &["network", "inspect", BLUE]);

    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let headers = [
        "NETWORK", "ID", "NAME", "DRIVER", "SCOPE", "VNI", "SUBNETS", "MTU",
    ];
    assert_eq!(rows[0], headers);
    let both = "10.1.0.0/23,fd00:1::/64";
    assert_eq!(rows[1][..6], ["-", BLUE, "overlay", "local", "4096", both]);
    let red = [
        "-",
        "red",
        "overlay",
        "local",
        "4097",
        "10.2.0.0/24",
        "1450",
    ];
    assert_eq!(rows[2], red);
    assert_eq!(blue[0]["gateways"][0], "10.1.0.1");
    assert_eq!(blue[0]["mtu"], 1450);
    assert_eq!(blue[0]["containers"][0]["name"], "one");
    assert_eq!(blue[0]["containers"].as_array().map(Vec::len), Some(1));
    assert_eq!(blue[0]["peers"][0]["name"], "b");
    assert_eq!(blue[0]["peers"][0]["blocks"][0], "10.1.0.64/26");
}

#[test]
fn a_container_is_connected_to_and_disconnected_from_one_more_network() {
    let pair = Pair::start().expect("a pair");

    let (_, made) = answer(&pair.a, &["network", "connect", "red", "one"]);
    let silent = pair.a.overlay(&["network", "disconnect", "red", "one"]);
    let (_, left) = answer(&pair.a, &["endpoint", "inspect", "one"]);
    let mut gone = pair.a.cli(&["network", "connect", "red", "nobody"]);
    let gone = process::capture(&mut gone).expect("it runs");

    assert_eq!(made["name"], "one");
    assert_eq!(made["network"], "red");
    assert_eq!(made["interface"], "eth1");
    assert_eq!(silent.expect("disconnected"), "");
    assert_eq!(left.as_array().map(Vec::len), Some(1));
    assert_eq!(left[0]["network"], BLUE);
    assert_eq!(gone.status.code(), Some(1));
    assert!(gone.stderr.contains("no endpoint nobody"), "{gone:?}");
}

#[test]
fn a_container_is_attached_to_and_detached_from_each_network_by_itself() {
    let pair = Pair::start().expect("a pair");
    let both = Container::new(pair.session(), "both").expect("a namespace");
    let blue = both
        .attach(&pair.a, BLUE, &["--ip", "10.1.0.9", "--ip6", "fd00:1::9"])
        .expect("blue");
    let red = both
        .attach(&pair.a, "red", &["--mac", "02:00:00:00:00:07"])
        .expect("red");
    assert_eq!(
        (blue.link.name.as_str(), red.link.name.as_str()),
        ("eth0", "eth1")
    );
    assert_eq!(
        (blue.v4, blue.v6.is_some()),
        (Some([10, 1, 0, 9].into()), true)
    );
    assert_eq!((red.link.mac.as_str(), red.v6), ("02:00:00:00:00:07", None));

    both.detach(&pair.a, BLUE).expect("detached");
    let left = link::list(both.namespace()).expect("links");
    assert_eq!(
        left.iter()
            .map(|link| link.name.as_str())
            .collect::<Vec<_>>(),
        ["lo", "eth1"]
    );
    let again = both.attach(&pair.a, BLUE, &[]).expect("blue again");
    assert_eq!(again.link.name, "eth0");
    let told = pair.a.overlay(&["detach", "both"]).expect("detached");

    assert_eq!(told, "both\nboth\n");
    assert_eq!(names(&pair.a), ["one"]);
    assert_eq!(link::list(both.namespace()).expect("links").len(), 1);
}

#[test]
fn completions_are_scripts_of_their_shells() {
    let pair = Pair::start().expect("a pair");
    for shell in ["bash", "zsh", "fish"] {
        let script = pair.a.overlay(&["completions", shell]).expect("a script");
        assert!(
            script.contains("overlay") && script.contains("endpoint"),
            "{shell}"
        );
    }
    let script = pair.a.overlay(&["completions", "bash"]).expect("a script");
    let mut check = std::process::Command::new("bash");
    process::feed(check.args(["-n", "/dev/stdin"]), &script).expect("no syntax error");
}
