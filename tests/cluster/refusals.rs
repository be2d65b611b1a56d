//! What a cluster does not take, and what it says.

use overlay_tests::{Swarm, swarm::Role};

fn refused(swarm: &Swarm, place: usize, arguments: &[&str], words: &[&str]) {
    let error = swarm[place].overlay(arguments).expect_err("a refusal");
    let error = format!("{error:#}");
    for word in words {
        assert!(error.contains(word), "{arguments:?} on {place}: {error}");
    }
}

#[test]
fn a_host_in_no_swarm_says_so() {
    let swarm = Swarm::apart(&["a"]).expect("a host");
    let words = ["not part of a swarm", "overlay swarm init"];

    refused(&swarm, 0, &["node", "ls"], &words);
    refused(&swarm, 0, &["network", "create", "blue"], &words);
    refused(&swarm, 0, &["swarm", "leave"], &["not part of a swarm"]);
    refused(&swarm, 0, &["swarm", "join-token", "worker"], &words);
    swarm.init(0).expect("swarm init");
    refused(
        &swarm,
        0,
        &["swarm", "init", "--advertise-addr", "192.0.2.1"],
        &["already part of a swarm"],
    );
}

#[test]
fn workers_change_nothing() {
    let swarm = Swarm::start(&["a", "b"], 1).expect("a swarm");
    let words = ["not a swarm manager"];

    refused(&swarm, 1, &["network", "create", "blue"], &words);
    refused(&swarm, 1, &["node", "ls"], &words);
    refused(&swarm, 1, &["swarm", "join-token", "worker"], &words);
    refused(&swarm, 1, &["node", "promote", "b"], &words);
    refused(&swarm, 0, &["node", "demote", "a"], &["last manager"]);
    refused(&swarm, 0, &["swarm", "leave"], &["--force"]);
}

#[test]
fn only_a_valid_token_lets_in() {
    let swarm = Swarm::apart(&["a", "b"]).expect("hosts");
    swarm.init(0).expect("swarm init");
    let token = swarm.token(Role::Worker).expect("a token");
    let join = |token: &str| {
        let arguments = [
            "swarm",
            "join",
            "--token",
            token,
            "--advertise-addr",
            "192.0.2.2",
            "192.0.2.1:2377",
        ];
        swarm[1].overlay(&arguments)
    };
    let (rest, last) = token.split_at(token.len() - 1);
    let other = if last == "0" { "1" } else { "0" };
    let digest = &token[9..59];
    let wrong_ca = token.replace(digest, &format!("{}{}", &digest[1..], &digest[..1]));

    for wrong in [format!("{rest}{other}"), wrong_ca, token[..40].to_owned()] {
        let error = format!("{:#}", join(&wrong).expect_err("a refusal"));
        assert!(
            error.contains("token") || error.contains("digest"),
            "{wrong}: {error}"
        );
    }
    swarm[0]
        .overlay(&["swarm", "join-token", "--rotate", "--quiet", "worker"])
        .expect("a new token");
    join(&token).expect_err("the old token is worth nothing");
    swarm.join(1, Role::Worker).expect("the new token lets in");
    let again = swarm.join(1, Role::Worker).expect_err("a second join");
    assert!(
        format!("{again:#}").contains("already part of a swarm"),
        "{again:#}"
    );
}

#[test]
fn networks_that_cannot_be_are_refused() {
    let swarm = Swarm::start(&["a"], 1).expect("a swarm");
    swarm
        .network("blue", &["--subnet", "10.9.0.0/24"])
        .expect("a network");

    refused(
        &swarm,
        0,
        &["network", "create", "blue"],
        &["already exists"],
    );
    refused(
        &swarm,
        0,
        &["network", "create", "--subnet", "10.9.0.0/25", "red"],
        &["overlap"],
    );
    refused(
        &swarm,
        0,
        &["network", "create", "--subnet", "192.0.2.0/24", "red"],
        &["overlap"],
    );
    refused(
        &swarm,
        0,
        &[
            "network",
            "create",
            "--subnet",
            "10.8.0.0/24",
            "--gateway",
            "10.7.0.1",
            "red",
        ],
        &["10.7.0.1"],
    );
    refused(&swarm, 0, &["network", "rm", "red"], &["red"]);
    swarm[0]
        .overlay(&["network", "create", "closed"])
        .expect("a network");
    let container = overlay_tests::Container::new(swarm.session(), "x").expect("a container");
    let attached = container.attach(&swarm[0], "closed", &[]);
    let error = format!("{:#}", attached.expect_err("a refusal"));
    assert!(error.contains("not manually attachable"), "{error}");
}
