//! Where `unsafe` may be written.

use std::path::Path;

use super::{Finding, tokens::Token};

/// Files and folders that may hold `unsafe` code.
const HOMES: [&str; 4] = [
    "overlay-common/src/shared.rs",
    "overlay-ebpf/src/frame.rs",
    "overlay-ebpf/src/context",
    "overlay-ebpf/src/map",
];

/// The file whose entry points carry `#[unsafe(no_mangle)]` and the like.
const ENTRY_POINTS: &str = "overlay-ebpf/src/main.rs";

pub(super) fn findings(path: &Path, tokens: &[Token]) -> Vec<Finding> {
    if HOMES.iter().any(|home| path.starts_with(home)) {
        return Vec::new();
    }
    let uses = tokens.iter().enumerate();
    uses.filter(|(_, token)| token.is("unsafe"))
        .filter(|(at, _)| path != Path::new(ENTRY_POINTS) || !is_attribute(tokens, *at))
        .map(|(_, token)| Finding {
            line: token.line,
            what: format!("`unsafe` outside its homes: {}", HOMES.join(", ")),
        })
        .collect()
}

/// Whether the `unsafe` at `at` is that of `#[unsafe(…)]`.
fn is_attribute(tokens: &[Token], at: usize) -> bool {
    let around = at
        .checked_sub(2)
        .and_then(|start| tokens.get(start..at + 2));
    let is_sign = |(token, sign): (&Token, &str)| token.is(sign);
    around.is_some_and(|around| around.iter().zip(["#", "[", "unsafe", "("]).all(is_sign))
}

#[cfg(test)]
mod tests {
    use super::{super::tokens::tokens, *};

    fn count(path: &str, source: &str) -> usize {
        findings(Path::new(path), &tokens(source)).len()
    }

    #[test]
    fn unsafe_code_stays_in_its_homes() {
        let source = "fn f() { unsafe { g() } }";

        for home in [
            "overlay-common/src/shared.rs",
            "overlay-ebpf/src/frame.rs",
            "overlay-ebpf/src/map/route.rs",
            "overlay-ebpf/src/context/tc.rs",
        ] {
            assert_eq!(count(home, source), 0, "{home}");
        }
        for other in [
            "overlay-agent/src/datapath/map.rs",
            "overlay-ebpf/src/main.rs",
            "overlay-ebpf/src/parse.rs",
            "overlay-ebpf/src/mapping.rs",
            "xtask/src/main.rs",
        ] {
            assert_eq!(count(other, source), 1, "{other}");
        }
    }

    #[test]
    fn entry_points_may_have_unsafe_attributes() {
        let source = "#[unsafe(no_mangle)] fn f() {}";

        assert_eq!(count("overlay-ebpf/src/main.rs", source), 0);
        assert_eq!(count("overlay-ebpf/src/parse.rs", source), 1);
    }

    #[test]
    fn speaking_of_unsafe_is_free() {
        let source = "#![forbid(unsafe_code)] // unsafe\nconst A: &str = \"unsafe\";";

        assert_eq!(count("overlay-agent/src/lib.rs", source), 0);
    }
}
