//! Everything that could keep this node from working: each thing looked at, with a verdict and the way
//! out.

mod datapath;
mod encryption;
mod host;
mod names;
mod outside;
mod sockets;
mod underlay;

use crate::{
    agent::shared::Shared,
    api::types::{Check, CheckVerdict},
    control::Expected,
    model::chain,
};

/// Looks at everything. `expected` is what should be attached, if that is known.
pub(super) fn examine(shared: &Shared, expected: Option<&Expected>) -> Vec<Check> {
    let mut checks = Vec::new();
    checks.extend(host::kernel(shared));
    checks.push(host::jit());
    checks.push(datapath::pins(shared));
    checks.push(datapath::hooks(shared, expected));
    checks.push(datapath::endpoints(shared));
    checks.push(sockets::balancing(shared));
    checks.push(sockets::ending());
    checks.push(underlay::tunnel(shared));
    checks.push(underlay::address(shared));
    checks.push(underlay::ways(shared));
    checks.push(underlay::encapsulation(shared));
    checks.extend(underlay::mtus(shared));
    checks.push(host::neighbours(shared));
    checks.push(host::source_ports());
    checks.extend(outside::way_out(shared));
    checks.extend(encryption::encryption(shared));
    checks.push(host::forwarding());
    checks.push(names::server(shared));
    checks.push(names::resolvers(shared));
    checks
}

/// What keeps a node from working that has no place in a cluster.
pub(super) fn waiting() -> Check {
    warn(
        "swarm",
        "this node is not part of a swarm, so it forwards nothing",
        "`overlay swarm init` makes one, `overlay swarm join` takes part in another's",
    )
}

fn ok(name: &str, detail: impl Into<String>) -> Check {
    Check {
        name: name.to_owned(),
        verdict: CheckVerdict::Ok,
        detail: detail.into(),
        remedy: None,
    }
}

fn warn(name: &str, detail: impl Into<String>, remedy: impl Into<String>) -> Check {
    Check {
        name: name.to_owned(),
        verdict: CheckVerdict::Warn,
        detail: detail.into(),
        remedy: Some(remedy.into()),
    }
}

fn fail(name: &str, detail: impl Into<String>, remedy: impl Into<String>) -> Check {
    Check {
        verdict: CheckVerdict::Fail,
        ..warn(name, detail, remedy)
    }
}

/// The first few of many things.
fn some_of(all: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = all
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match all.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        Some(_) | None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::some_of;

    #[test]
    fn a_long_list_is_cut() {
        let names = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();

        assert_eq!(some_of(&names(0)), "");
        assert_eq!(some_of(&names(5)), "0, 1, 2, 3, 4");
        assert_eq!(some_of(&names(7)), "0, 1, 2, 3, 4 and 2 more");
    }
}
