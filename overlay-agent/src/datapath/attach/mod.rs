//! Hanging programs on devices, so that they stay when the agent ends and are replaced without a gap
//! when it comes back.

pub(super) mod cgroup;
pub(super) mod clsact;
pub(super) mod tcx;

use aya::programs::TcAttachType;
use nix::{libc, net::if_::if_indextoname};

use super::Error;
use crate::control::Direction;

fn attach_type(direction: Direction) -> TcAttachType {
    match direction {
        Direction::Ingress => TcAttachType::Ingress,
        Direction::Egress => TcAttachType::Egress,
    }
}

/// The name by which aya finds a device.
fn name_of(ifindex: u32) -> Result<String, Error> {
    let name = if_indextoname(ifindex).map_err(|_gone| Error::NoDevice { ifindex })?;
    name.into_string()
        .map_err(|_not_utf8| Error::NoDevice { ifindex })
}

/// Whether an error number says that the device went away meanwhile.
fn is_gone(errno: Option<i32>) -> bool {
    matches!(errno, Some(libc::ENODEV | libc::ENXIO))
}
