//! A packet for nobody in its network: the way out.

use super::{question::Question, steps::Steps};
use crate::{
    agent::{plumbing::GATEWAY_NAME, shared::Shared},
    control::{Inspect as _, Key, PortError, Row},
    datapath::KernelInspector,
    model::InterfaceEntry,
    netlink::Socket,
};

/// Walks to the host's route, or to the step that stops the packet; returns whether it leaves.
pub(super) fn walk(
    shared: &Shared,
    inspector: &KernelInspector,
    question: &Question,
    interface: &InterfaceEntry,
    steps: &mut Steps,
) -> Result<bool, PortError> {
    let destination = question.destination.address;
    let network = &question.network.name;
    if inspector.get(&Key::Node)?.is_none() {
        let why = match &shared.summary().gateway_trouble {
            Some(trouble) => trouble.clone(),
            None => "the way out is switched off (outside.enabled)".to_owned(),
        };
        let said = format!("nobody in {network} has {destination} (no-route), and {why}");
        return Ok(steps.stop("way out", said));
    }
    steps.pass(
        "route",
        format!("{destination} is in no subnet of network {network}: it is outside"),
    );
    let found = inspector.get(&Key::Network(question.network.vni))?;
    if let Some(Row::Network(_, entry)) = found
        && entry.is_internal
    {
        let said =
            format!("network {network} is internal (internal): only this node's DNS is reached");
        return Ok(steps.stop("way out", said));
    }
    if inspector.get(&Key::Transit(destination))?.is_some() {
        let said = format!(
            "{destination} is a transit address (transit-destination): only the host uses it"
        );
        return Ok(steps.stop("way out", said));
    }
    let stand_in = if destination.is_ipv4() {
        interface.transit_ipv4
    } else {
        interface.transit_ipv6
    };
    let Some(stand_in) = stand_in else {
        return Ok(steps.stop(
            "way out",
            "no transit address stands for the container (no-transit-address); see outside.transit_pools",
        ));
    };
    steps.pass(
        "way out",
        format!(
            "into {GATEWAY_NAME}, where {stand_in} stands for {}",
            question.source.address
        ),
    );
    let resolved = Socket::open().and_then(|mut socket| {
        let resolved = socket.lookup(destination, None)?;
        let link = socket.link_by_index(resolved.ifindex)?;
        Ok((resolved, link))
    });
    Ok(match resolved {
        Ok((resolved, _)) if resolved.is_local => {
            steps.pass("host", format!("{destination} is this host's own address"));
            true
        }
        Ok((_, link)) => {
            steps.pass(
                "host",
                format!(
                    "out of {} with the host's own address (masqueraded)",
                    link.name
                ),
            );
            true
        }
        Err(error) => steps.stop(
            "host",
            format!("the host has no way to {destination}: {error}"),
        ),
    })
}
