//! The grammar.

use clap::CommandFactory as _;

use super::plan;
use crate::cli::{arguments::Arguments, plan::Action};

#[test]
fn the_grammar_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn wrong_usage_is_clap_s_to_tell() {
    for (line, part) in [
        ("overlay", "Usage: overlay"),
        ("overlay fly", "unrecognized subcommand 'fly'"),
        ("overlay run -- true", "--network <NETWORK>"),
        ("overlay run --network blue", "<COMMAND>..."),
        (
            "overlay run --network blue --network blue -- true",
            "network `blue` is given twice",
        ),
        (
            "overlay run --network a --network b --ip 10.0.0.1 -- true",
            "--ip and --mac go with one",
        ),
        ("overlay attach --netns x --network blue", "--name <NAME>"),
        (
            "overlay attach --netns x --network b --name c --ip ten",
            "invalid value 'ten'",
        ),
        (
            "overlay attach --netns x --network b --name c --mac zz",
            "`zz` is no Ethernet address",
        ),
        (
            "overlay attach --netns x --network b --name a~b",
            "--name: `a b` is no name",
        ),
        (
            "overlay run --network b --name /x -- true",
            "--name: `/x` is no name",
        ),
        ("overlay detach", "<ENDPOINT>..."),
        ("overlay endpoint inspect", "<NAME>..."),
        (
            "overlay status --format yaml",
            "--format: `yaml` is no format",
        ),
        ("overlay swarm", "Usage: overlay swarm"),
        ("overlay swarm join 192.0.2.1", "--token <TOKEN>"),
        ("overlay swarm join --token x", "<HOST:PORT>"),
        ("overlay swarm join --token x http://a", "`//a` is no port"),
        (
            "overlay swarm init --advertise-addr 10.0.0",
            "`10.0.0` is neither an address nor an interface",
        ),
        (
            "overlay swarm init --listen-addr eth0:0",
            "`0` is no port; choose one from 1 to 65535",
        ),
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
            "overlay swarm init --default-addr-pool 10.1.0.0/8",
            "has bits set behind its prefix; write 10.0.0.0/8",
        ),
        (
            "overlay swarm init --default-addr-pool 10.0.0.0/8 --default-addr-pool 10.1.0.0/16",
            "10.1.0.0/16 and 10.0.0.0/8 overlap",
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
        ("overlay node rm", "<NODE>..."),
        ("overlay network create", "<NETWORK>"),
        (
            "overlay network create -d bridge x",
            "possible values: overlay",
        ),
        ("overlay network create a~b", "`a b` is no name"),
        (
            "overlay network create --subnet 10.0.0.7/24 x",
            "10.0.0.7/24 has bits set behind its prefix",
        ),
        (
            "overlay network create --gateway 10.0.0.1 x",
            "the gateway 10.0.0.1 is in none of the subnets",
        ),
        (
            "overlay network create --opt colour=red x",
            "--opt: `colour` is no option of a network",
        ),
        (
            "overlay network ls --filter scope=x",
            "`x` is neither swarm",
        ),
        ("overlay network rm", "<NETWORK>..."),
        ("overlay network connect blue", "<ENDPOINT>"),
        (
            "overlay network connect --ip 10.0.0.1 --ip 10.0.0.2 blue web",
            "are of one family",
        ),
        ("overlay network disconnect blue", "<ENDPOINT>"),
        (
            "overlay completions powershell",
            "possible values: bash, zsh, fish",
        ),
    ] {
        let error = plan(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(part), "{line}: {error}");
    }
}

#[test]
fn every_command_has_help_and_is_completed() {
    let mut script = Vec::new();
    let mut root = Arguments::command();
    clap_complete::generate(
        clap_complete::Shell::Bash,
        &mut root,
        "overlay",
        &mut script,
    );
    let script = String::from_utf8(script).unwrap();
    let mut names = Vec::new();
    for noun in root.get_subcommands() {
        for verb in noun.get_subcommands() {
            let name = format!("{} {}", noun.get_name(), verb.get_name());
            assert!(verb.get_about().is_some(), "{name}");
            for argument in verb.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{name} {}",
                    argument.get_id()
                );
            }
            if noun.get_name() != "help" && verb.get_name() != "help" {
                let function = name.replace(['-', ' '], "__subcmd__");
                assert!(script.contains(&function), "{name}");
                names.push(name);
            }
        }
    }
    for name in ["swarm join-token", "node promote", "network prune"] {
        assert!(names.iter().any(|one| one == name), "{name}: {names:?}");
    }
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
fn no_plan_tells_a_token() {
    let plan = plan("overlay swarm join --token SWMTKN-1-secret 192.0.2.1").unwrap();

    assert!(!format!("{plan:?}").contains("secret"));
}

#[test]
fn a_commands_own_options_are_its_own() {
    for line in [
        "overlay run --network blue --name w -- ls --format json -l",
        "overlay run --network blue --name w ls --format json -l",
    ] {
        let plan = plan(line).unwrap();
        let Action::Run(run) = plan.action else {
            panic!("not run: {line}");
        };
        assert_eq!(run.name.as_deref(), Some("w"));
        assert_eq!(run.program, "ls");
        assert_eq!(run.arguments, ["--format", "json", "-l"]);
        assert_eq!(plan.format, None);
    }
}
