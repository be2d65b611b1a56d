//! Programs, maps and endpoints.

use super::{chain, fail, ok, some_of, warn};
use crate::{
    agent::{plumbing::is_host_end, shared::Shared, traffic::inspect},
    api::types::Check,
    control::{Expected, Inspect as _},
    datapath::{is_mounted, program_name},
    netlink::Socket,
};

/// Whether programs and maps are pinned, so that they outlive the agent.
pub(super) fn pins(shared: &Shared) -> Check {
    let run_dir = &shared.settings.run_dir;
    if !is_mounted(run_dir) {
        return fail(
            "pins",
            format!("no bpffs is mounted at {}/bpf any more", run_dir.display()),
            "restart the agent, which mounts it",
        );
    }
    match inspect(shared) {
        Ok(_) => ok("pins", format!("{} is complete", shared.pins.generation())),
        Err(error) => fail(
            "pins",
            chain(&error),
            "restart the agent, which pins them again",
        ),
    }
}

/// Whether every program is where it should be.
pub(super) fn hooks(shared: &Shared, expected: Option<&Expected>) -> Check {
    const NAME: &str = "programs";
    const REMEDY: &str = "`overlay audit` attaches them";
    let Some(expected) = expected else {
        return warn(
            NAME,
            "an earlier change failed, so it is not known what is attached",
            REMEDY,
        );
    };
    let inspector = match inspect(shared) {
        Ok(inspector) => inspector,
        Err(error) => return fail(NAME, chain(&error), "restart the agent"),
    };
    let mut missing = Vec::new();
    for hook in &expected.hooks {
        match inspector.is_attached(*hook) {
            Ok(true) => {}
            Ok(false) => {
                let program = program_name(hook.program);
                missing.push(format!("{program} at {}", hook.place()));
            }
            Err(error) => return fail(NAME, chain(&error), REMEDY),
        }
    }
    if missing.is_empty() {
        ok(NAME, format!("{} attached", expected.hooks.len()))
    } else {
        fail(NAME, format!("not attached: {}", some_of(&missing)), REMEDY)
    }
}

/// Whether every endpoint's interface is there and up.
pub(super) fn endpoints(shared: &Shared) -> Check {
    const NAME: &str = "endpoints";
    let links = match Socket::open().and_then(|mut socket| socket.links()) {
        Ok(links) => links,
        Err(error) => return fail(NAME, chain(&error), "see the agent's log"),
    };
    let up: std::collections::BTreeSet<u32> = links
        .iter()
        .filter(|link| is_host_end(link) && link.is_up() && link.has_carrier)
        .map(|link| link.ifindex)
        .collect();
    let directory = shared.directory();
    let cut_off: Vec<String> = directory
        .iter()
        .filter_map(|attachment| {
            let reason = attachment.conflict.as_ref()?;
            Some(format!(
                "{} in {}: {reason}",
                attachment.name, attachment.network
            ))
        })
        .collect();
    if !cut_off.is_empty() {
        return fail(
            NAME,
            format!("cut off: {}", some_of(&cut_off)),
            "detach them, and attach them again with other addresses",
        );
    }
    let down: Vec<String> = directory
        .iter()
        .filter(|attachment| !up.contains(&attachment.host_ifindex))
        .map(|attachment| format!("{} in {}", attachment.name, attachment.network))
        .collect();
    if down.is_empty() {
        ok(NAME, format!("{} with both ends up", directory.len()))
    } else {
        warn(
            NAME,
            format!("down or gone: {}", some_of(&down)),
            "switch the interface on in the container, or detach the endpoint",
        )
    }
}
