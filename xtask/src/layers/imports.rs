//! What a file of a crate names outside its own module.

use std::path::Path;

use super::tokens::Token;

/// A path that leaves the file's module: its first two names and the line it is on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) line: usize,
    pub(super) names: Vec<String>,
}

/// The module a file makes, given its path in `src`: `datapath/mod.rs` makes `datapath`.
pub(super) fn module(file: &Path) -> Vec<String> {
    let mut names: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    if names == ["lib"] {
        names.clear();
    }
    names
}

/// The paths that start at the crate's root: through `crate`, through as many `super` as it takes,
/// or through the crate's own name.
pub(super) fn imports(module: &[String], own_name: &str, tokens: &[Token]) -> Vec<Import> {
    let mut imports = Vec::new();
    let mut inner = Inner::default();
    let mut at = 0;
    while at < tokens.len() {
        inner.pass(tokens, at);
        let follows_path = at > 0 && tokens[at - 1].is("::");
        let is_start = tokens.get(at + 1).is_some_and(|next| next.is("::")) && !follows_path;
        if is_start && (tokens[at].is("crate") || tokens[at].is(own_name)) {
            collect(&tokens[at + 2..], &mut imports);
        } else if is_start && tokens[at].is("super") {
            let ups = supers(&tokens[at..]);
            if ups == module.len() + inner.depth() {
                collect(&tokens[at + 2 * ups..], &mut imports);
            }
        }
        at += 1;
    }
    imports
}

/// The uses of an outside crate: `name::…` and `use name`.
pub(super) fn uses_of(name: &str, tokens: &[Token]) -> Vec<usize> {
    let mut lines = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let is_used = at > 0 && tokens[at - 1].is("use");
        let is_start = tokens.get(at + 1).is_some_and(|next| next.is("::"))
            && !(at > 0 && tokens[at - 1].is("::"));
        if token.is(name) && (is_used || is_start) {
            lines.push(token.line);
        }
    }
    lines
}

/// The modules written inside the file that the reading is in.
#[derive(Default)]
struct Inner {
    braces: usize,
    opened_at: Vec<usize>,
}

impl Inner {
    fn pass(&mut self, tokens: &[Token], at: usize) {
        if tokens[at].is("{") {
            self.braces += 1;
            if at >= 2 && tokens[at - 2].is("mod") {
                self.opened_at.push(self.braces);
            }
        } else if tokens[at].is("}") {
            if self.opened_at.last() == Some(&self.braces) {
                self.opened_at.pop();
            }
            self.braces = self.braces.saturating_sub(1);
        }
    }

    fn depth(&self) -> usize {
        self.opened_at.len()
    }
}

/// How many times `super ::` is repeated.
fn supers(tokens: &[Token]) -> usize {
    let pairs = tokens.chunks_exact(2);
    pairs
        .take_while(|pair| pair[0].is("super") && pair[1].is("::"))
        .count()
}

/// Adds the paths that `tokens`, which follow the root's `::`, begin with: one, or a group.
fn collect(tokens: &[Token], imports: &mut Vec<Import>) {
    let Some(first) = tokens.first() else { return };
    if first.is_word() {
        imports.push(path(tokens));
        return;
    }
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ if depth == 1 && token.is_word() => {
                let before = &tokens[at.saturating_sub(1)];
                if before.is("{") || before.is(",") {
                    imports.push(path(&tokens[at..]));
                }
            }
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

fn path(tokens: &[Token]) -> Import {
    let mut names = vec![tokens[0].text.clone()];
    if let [_, colons, second, ..] = tokens
        && colons.is("::")
        && second.is_word()
    {
        names.push(second.text.clone());
    }
    Import {
        line: tokens[0].line,
        names,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tokens::tokens, *};

    fn found(file: &str, source: &str) -> Vec<String> {
        let module = module(Path::new(file));
        let imports = imports(&module, "overlay_agent", &tokens(source));
        let names = imports.into_iter().map(|import| import.names.join("::"));
        names.collect()
    }

    #[test]
    fn a_file_makes_the_module_of_its_path() {
        assert_eq!(module(Path::new("datapath/mod.rs")), ["datapath"]);
        assert_eq!(module(Path::new("model/node.rs")), ["model", "node"]);
        assert!(module(Path::new("lib.rs")).is_empty());
    }

    #[test]
    fn paths_through_crate_are_found_in_groups_too() {
        let source = "use crate::{model::{node::Node, diff}, control::port::Links, api}; \
                      fn f() { crate::dns::start() }";

        assert_eq!(
            found("agent/mod.rs", source),
            ["model", "control::port", "api", "dns::start"]
        );
    }

    #[test]
    fn super_counts_only_when_it_reaches_the_root() {
        assert!(found("datapath/map.rs", "use super::writer;").is_empty());
        assert_eq!(
            found(
                "datapath/map.rs",
                "use super::super::{netlink::Link, model};"
            ),
            ["netlink::Link", "model"]
        );
        assert_eq!(found("datapath/mod.rs", "use super::netlink;"), ["netlink"]);
    }

    #[test]
    fn super_in_an_inner_module_is_the_file_itself() {
        let source = "mod tests { use super::thing; use super::super::dns; } use super::api;";

        assert_eq!(found("control/mod.rs", source), ["dns", "api"]);
    }

    #[test]
    fn a_program_reaches_modules_by_the_crates_name() {
        assert_eq!(
            found("bin/overlay.rs", "fn main() { overlay_agent::cli::main() }"),
            ["cli::main"]
        );
    }

    #[test]
    fn uses_of_a_crate_are_found_by_line() {
        let source = "use aya;\nuse aya::maps::MapData;\nlet aya = 1;\nx::aya::y";

        assert_eq!(uses_of("aya", &tokens(source)), [1, 2]);
    }
}
