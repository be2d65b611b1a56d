//! The grammar.

use clap::CommandFactory as _;

use super::{assert_wrong, plan};
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
        (
            "overlay completions powershell",
            "possible values: bash, zsh, fish",
        ),
    ] {
        assert_wrong(line, part);
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
