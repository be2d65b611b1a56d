//! Which module of overlay-agent may import which.

use std::path::Path;

use super::{Finding, imports, tokens::Token};

/// What a module may import besides itself and `model`.
enum Reach {
    /// These modules.
    Of(&'static [&'static str]),
    /// Every module but `cli`.
    Workers,
    /// Every module.
    All,
}

/// The modules, and what each may import. `bin` holds the programs.
const MODULES: [(&str, Reach); 16] = [
    ("bin", Reach::All),
    ("cli", Reach::All),
    ("agent", Reach::Workers),
    ("api", Reach::Of(&["cluster"])),
    ("cluster", Reach::Of(&[])),
    ("gossip", Reach::Of(&[])),
    ("control", Reach::Of(&[])),
    ("datapath", Reach::Of(&["control"])),
    ("netlink", Reach::Of(&["control"])),
    ("xfrm", Reach::Of(&["control"])),
    ("dns", Reach::Of(&[])),
    ("docker", Reach::Of(&["api"])),
    ("cni", Reach::Of(&["api"])),
    ("metrics", Reach::Of(&[])),
    ("settings", Reach::Of(&[])),
    ("model", Reach::Of(&[])),
];

/// Crates that give access to the maps. Only `datapath` may use them.
const MAP_CRATES: [&str; 2] = ["overlay_common", "aya"];

/// All breaches in one file of overlay-agent, given its path in `src`.
pub(super) fn findings(file: &Path, tokens: &[Token]) -> Vec<Finding> {
    let module = imports::module(file);
    let Some(from) = module.first() else {
        return Vec::new();
    };
    if !MODULES.iter().any(|(name, _)| name == from) {
        return vec![Finding {
            line: 1,
            what: format!("`{from}` is not one of the modules that ARCHITECTURE.md names"),
        }];
    }
    let mut findings: Vec<Finding> = imports::imports(&module, "overlay_agent", tokens)
        .into_iter()
        .filter(|import| !is_allowed(from, &import.names[0]))
        .map(|import| Finding {
            line: import.line,
            what: format!("`{from}` imports `{}`", import.names.join("::")),
        })
        .collect();
    if from != "datapath" {
        for name in MAP_CRATES {
            let lines = imports::uses_of(name, tokens).into_iter();
            findings.extend(lines.map(|line| Finding {
                line,
                what: format!("`{from}` uses {name}, which only `datapath` may"),
            }));
        }
    }
    findings
}

fn is_allowed(from: &str, to: &str) -> bool {
    let is_module = MODULES.iter().any(|(name, _)| *name == to);
    // What is not a module is an item of the crate's root.
    if from == to || !is_module {
        return true;
    }
    match MODULES.iter().find(|(name, _)| *name == from) {
        Some((_, Reach::Of(others))) => others.contains(&to) || to == "model",
        Some((_, Reach::Workers)) => to != "cli",
        Some((_, Reach::All)) | None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tokens::tokens, *};

    fn found(file: &str, source: &str) -> Vec<String> {
        let findings = findings(Path::new(file), &tokens(source));
        let lines = findings
            .into_iter()
            .map(|finding| format!("{}: {}", finding.line, finding.what));
        lines.collect()
    }

    #[test]
    fn arrows_of_the_design_are_allowed() {
        for (file, source) in [
            (
                "cli/run.rs",
                "use crate::{api::Client, model::Network, agent::Config};",
            ),
            (
                "agent/mod.rs",
                "use crate::{control, datapath, netlink, api, model};",
            ),
            (
                "datapath/writer/route.rs",
                "use crate::{control::port::Routes, model};",
            ),
            (
                "datapath/load.rs",
                "use aya::Ebpf; use overlay_common::abi;",
            ),
            ("docker/mod.rs", "use crate::api::Client;"),
            ("bin/overlay.rs", "fn main() { overlay_agent::cli::main() }"),
            ("control/mod.rs", "use crate::Version;"),
            ("lib.rs", "pub mod cli; pub use crate::model;"),
        ] {
            assert_eq!(found(file, source), Vec::<String>::new(), "{file}");
        }
    }

    #[test]
    fn nothing_but_the_command_line_and_the_programs_imports_the_agent() {
        for file in ["control/mod.rs", "api/server.rs", "model/node.rs"] {
            assert_eq!(found(file, "\nuse crate::agent::Agent;").len(), 1, "{file}");
        }
        assert_eq!(
            found("agent/mod.rs", "use crate::cli::Table;"),
            ["1: `agent` imports `cli::Table`"]
        );
    }

    #[test]
    fn workers_do_not_import_each_other() {
        assert_eq!(
            found("control/planner.rs", "\nuse crate::datapath::Writer;"),
            ["2: `control` imports `datapath::Writer`"]
        );
        assert_eq!(
            found("netlink/link.rs", "use super::super::datapath;").len(),
            1
        );
        assert_eq!(found("model/node.rs", "use crate::control::port;").len(), 1);
    }

    #[test]
    fn maps_are_known_to_the_datapath_alone() {
        assert_eq!(
            found("agent/mod.rs", "use overlay_common::abi;"),
            ["1: `agent` uses overlay_common, which only `datapath` may"]
        );
        assert_eq!(
            found("docker/mod.rs", "fn f(map: aya::maps::MapData) {}").len(),
            1
        );
    }

    #[test]
    fn a_module_without_a_place_is_named() {
        assert_eq!(
            found("helpers.rs", "fn f() {}"),
            ["1: `helpers` is not one of the modules that ARCHITECTURE.md names"]
        );
    }
}
