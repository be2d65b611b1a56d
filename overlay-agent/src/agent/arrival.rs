//! An endpoint on its way to a network: with the right to come, and with leases for its addresses.

use std::sync::Arc;

use super::{
    addresses::NoAddress,
    audit::ask,
    owner::{Command, Membership},
    plane::Plane,
    swarm::Handle,
};
use crate::{
    api::{ApiError, types::AttachRequest},
    model::Attachment,
};

/// How often an endpoint may ask for leases: one for each family, and again if others took the
/// addresses first.
const ATTEMPTS: usize = 6;

/// Attaches with what this node has.
pub(super) async fn attach(
    plane: &Plane,
    request: &AttachRequest,
    membership: Option<Membership>,
) -> Result<Result<Arc<Attachment>, NoAddress>, ApiError> {
    let command = |answer| Command::Attach(request.clone(), membership, answer);
    Ok(ask(&plane.commands, command).await?)
}

/// Attaches to a network of the swarm, with leases from the managers where the own ones are used up.
pub(super) async fn attach_leased(
    plane: &Plane,
    swarm: &Handle,
    request: &AttachRequest,
    membership: Option<Membership>,
) -> Result<Arc<Attachment>, ApiError> {
    let service = membership.map(|membership| membership.service);
    let stay = swarm.admit(&request.network, service).await?;
    for _ in 0..ATTEMPTS {
        match attach(plane, request, membership).await? {
            Ok(attached) => return Ok(attached),
            Err(NoAddress::Refused(error)) => return Err(error),
            Err(NoAddress::Lacks(need)) => swarm.lease(stay.vni(), need).await?,
        }
    }
    Err(ApiError::conflict(format!(
        "other endpoints took the addresses of network {} first",
        request.network
    ))
    .with_help("try again"))
}
