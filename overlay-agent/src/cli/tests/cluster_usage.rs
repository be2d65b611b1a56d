//! The grammar of swarm, node and network.

use super::{assert_wrong, plan};
use crate::{
    api::types::{HostAddress, SwarmInit},
    cli::plan::{Action, Question, SwarmQuestion},
};

fn init(line: &str) -> SwarmInit {
    let action = plan(line).unwrap().action;
    let Action::Ask(Question::Swarm(SwarmQuestion::Init(request))) = action else {
        panic!("no init: {action:?}");
    };
    request
}

#[test]
fn init_without_options_leaves_all_to_the_agent() {
    assert_eq!(init("overlay swarm init"), SwarmInit::default());
}

#[test]
fn init_passes_its_options_on() {
    let request = init(
        "overlay swarm init --advertise-addr eth0:2378 --listen-addr [::]:2379 --data-path-addr \
         192.0.2.1 --data-path-port 4790 --gossip-port 7947 --default-addr-pool 10.8.0.0/16 \
         --default-addr-pool 10.9.0.0/16 --default-addr-pool-mask-length 26 --force-new-cluster \
         --availability drain",
    );

    let addresses = request.addresses;
    assert_eq!(addresses.advertise.unwrap().to_string(), "eth0:2378");
    assert_eq!(addresses.listen.unwrap().to_string(), "[::]:2379");
    let data_path = "192.0.2.1".parse().unwrap();
    assert_eq!(addresses.data_path, Some(HostAddress::Address(data_path)));
    assert_eq!(request.data_path_port, Some(4790));
    assert_eq!(request.gossip_port, Some(7947));
    assert_eq!(request.address_pools.len(), 2);
    assert_eq!(request.pool_mask_length, Some(26));
    assert!(request.force_new_cluster);
    assert_eq!(request.availability.to_string(), "drain");
}

#[test]
fn join_names_a_manager_with_its_port() {
    let line =
        "overlay swarm join --token x --availability pause --gossip-port 7947 manager.example";
    let plan = plan(line).unwrap();

    let Action::Ask(Question::Swarm(SwarmQuestion::Join(request))) = plan.action else {
        panic!("no join: {:?}", plan.action);
    };
    assert_eq!(request.token.reveal(), "x");
    assert_eq!(request.remote, "manager.example:2377");
    assert_eq!(request.availability.to_string(), "pause");
    assert_eq!(request.gossip_port, Some(7947));
}

#[test]
fn no_plan_tells_a_token() {
    let plan = plan("overlay swarm join --token SWMTKN-1-secret 192.0.2.1").unwrap();

    assert!(!format!("{plan:?}").contains("secret"));
}

#[test]
fn prune_asks_unless_forced() {
    for (line, is_asked) in [
        ("overlay network prune", true),
        ("overlay network prune --force", false),
        ("overlay network rm blue", false),
    ] {
        let Action::Ask(question) = plan(line).unwrap().action else {
            panic!("no question: {line}");
        };
        assert_eq!(question.warning().is_some(), is_asked, "{line}");
    }
}

#[test]
fn wrong_usage_of_swarm() {
    for (line, part) in [
        ("overlay swarm", "Usage: overlay swarm"),
        ("overlay swarm join 192.0.2.1", "--token <TOKEN>"),
        ("overlay swarm join --token x", "<HOST:PORT>"),
        ("overlay swarm join --token x http://a", "`//a` is no port"),
        (
            "overlay swarm join --token x a/b",
            "`a/b` names no manager; write its address",
        ),
        (
            "overlay swarm init --advertise-addr 10.0.0",
            "`10.0.0` is neither an address nor an interface",
        ),
        ("overlay swarm init --listen-addr eth0:0", "`0` is no port"),
        (
            "overlay swarm init --data-path-addr eth0:1",
            "`eth0:1` is neither",
        ),
        (
            "overlay swarm init --data-path-port 80",
            "80 is not in 1024..=49151",
        ),
        ("overlay swarm init --gossip-port 0", "0 is not in 1.."),
        (
            "overlay swarm join --token x --gossip-port 0 a",
            "0 is not in 1..",
        ),
        (
            "overlay swarm init --default-addr-pool ten",
            "invalid value 'ten'",
        ),
        (
            "overlay swarm init --availability busy",
            "possible values: active, pause, drain",
        ),
        (
            "overlay swarm init --autolock",
            "unexpected argument '--autolock'",
        ),
        ("overlay swarm join-token", "<ROLE>"),
        (
            "overlay swarm join-token king",
            "possible values: worker, manager",
        ),
        ("overlay swarm update", "Usage: overlay swarm update"),
        (
            "overlay swarm update --cert-expiry 1s",
            "--cert-expiry is too short; give 3600s or more",
        ),
        (
            "overlay swarm update --key-rotation soon",
            "this is no duration",
        ),
    ] {
        assert_wrong(line, part);
    }
}

#[test]
fn wrong_usage_of_node() {
    for (line, part) in [
        ("overlay node", "Usage: overlay node"),
        ("overlay node inspect", "<NODE>..."),
        (
            "overlay node ls --filter colour=red",
            "there is no key `colour`; there are id, name",
        ),
        ("overlay node ls --filter role", "this is no key=value"),
        (
            "overlay node ls --filter role=king",
            "`king` is neither worker nor manager",
        ),
        ("overlay node ls --filter membership=x", "`x` is neither"),
        ("overlay node update a", "nothing is to be changed; give"),
        (
            "overlay node update --label-add =x a",
            "the name is missing",
        ),
        ("overlay node promote", "<NODE>..."),
        ("overlay node demote", "<NODE>..."),
        ("overlay node rm", "<NODE>..."),
    ] {
        assert_wrong(line, part);
    }
}

#[test]
fn wrong_usage_of_network() {
    for (line, part) in [
        ("overlay network", "Usage: overlay network"),
        ("overlay network create", "<NETWORK>"),
        (
            "overlay network create -d bridge x",
            "possible values: overlay",
        ),
        (
            "overlay network create --subnet ten x",
            "invalid value 'ten'",
        ),
        (
            "overlay network create --ipv4=maybe x",
            "invalid value 'maybe'",
        ),
        (
            "overlay network create --aux-address 10.0.0.5 x",
            "is no address; write name=10.0.0.5",
        ),
        (
            "overlay network create --label =x y",
            "the name is missing; write name=value",
        ),
        (
            "overlay network ls --filter scope=x",
            "`x` is neither swarm",
        ),
        ("overlay network inspect", "<NETWORK>..."),
        ("overlay network rm", "<NETWORK>..."),
        ("overlay network connect blue", "<ENDPOINT>"),
        (
            "overlay network connect --ip 10.0.0.1 --ip 10.0.0.2 blue web",
            "are of one family",
        ),
        ("overlay network disconnect blue", "<ENDPOINT>"),
    ] {
        assert_wrong(line, part);
    }
}
