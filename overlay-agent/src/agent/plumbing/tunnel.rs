//! The collect-metadata vxlan device: it takes what the programs leave to the kernel, and keeps the
//! UDP port open, without which the kernel would not aggregate tunnelled packets.

use nix::libc;

use super::port::{PortHolder, holder};
use crate::netlink::{Error, Link, Socket, VxlanDevice, VxlanSettings};

/// Its name. One agent has a namespace for itself.
pub(in crate::agent) const NAME: &str = "ovl-vxlan";

/// The most that the kernel takes: a packet too big for the underlay is then fragmented outside
/// instead of being refused.
const MTU: u32 = 65_485;

/// Why there is no vxlan device.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// Another device has the name.
    #[error("interface {NAME} is there and was not made by overlay; rename it or delete it with `ip link delete {NAME}`")]
    Foreign,
    /// Another program or device has the UDP port.
    #[error("UDP port {port} is in use by {holder}; stop that, or choose another datapath.port on every node")]
    PortInUse {
        /// The port.
        port: u16,
        /// Who has it.
        holder: PortHolder,
    },
    /// The kernel refused.
    #[error("could not set up the vxlan device {NAME}")]
    Netlink {
        /// What netlink says.
        #[source]
        source: Error,
    },
}

impl From<Error> for TunnelError {
    fn from(source: Error) -> Self {
        Self::Netlink { source }
    }
}

/// Makes the device, or repairs what differs; returns its index and whether it did anything. A device
/// that has to be made again gets the index that it had, if that is still free: the programs know it
/// by that.
pub(super) fn ensure(
    socket: &mut Socket,
    port: u16,
    wanted_ifindex: Option<u32>,
) -> Result<(u32, bool), TunnelError> {
    let wanted = VxlanSettings::external(port);
    let (link, was_made) = match socket.find_link(NAME)? {
        Some(link) if link.vxlan == Some(wanted) => (link, false),
        Some(link) if link.vxlan.is_some_and(|settings| settings.is_external) => {
            delete(socket, &link)?;
            (create(socket, wanted, wanted_ifindex)?, true)
        }
        Some(_) => return Err(TunnelError::Foreign),
        None => (create(socket, wanted, wanted_ifindex)?, true),
    };
    let mut was_repaired = was_made;
    if link.mtu != MTU {
        socket.set_mtu(link.ifindex, MTU)?;
        was_repaired = true;
    }
    if !link.is_up() {
        if let Err(error) = socket.set_up(link.ifindex) {
            let error = explain(socket, error, port);
            if was_made {
                delete(socket, &link)?;
            }
            return Err(error);
        }
        was_repaired = true;
    }
    Ok((link.ifindex, was_repaired))
}

/// Deletes the device, if it is ours; returns whether there was one.
pub(super) fn remove(socket: &mut Socket) -> Result<bool, Error> {
    match socket.find_link(NAME)? {
        Some(link) if link.vxlan.is_some_and(|settings| settings.is_external) => {
            delete(socket, &link)?;
            Ok(true)
        }
        Some(_) | None => Ok(false),
    }
}

/// Who has the UDP port, our own device aside.
pub(in crate::agent) fn holder_of(
    socket: &mut Socket,
    port: u16,
) -> Result<Option<PortHolder>, Error> {
    holder(socket, port, NAME)
}

fn create(
    socket: &mut Socket,
    settings: VxlanSettings,
    ifindex: Option<u32>,
) -> Result<Link, TunnelError> {
    let device = VxlanDevice { name: NAME, mac: None, mtu: Some(MTU), settings };
    let made = match ifindex {
        Some(ifindex) => match socket.create_vxlan_at(&device, ifindex) {
            Err(error) if error.errno() == Some(libc::EBUSY) || error.is_exists() => {
                socket.create_vxlan(&device)
            }
            made => made,
        },
        None => socket.create_vxlan(&device),
    };
    made.map_err(|error| explain(socket, error, settings.port))
}

fn delete(socket: &mut Socket, link: &Link) -> Result<(), Error> {
    match socket.delete_link(link.ifindex) {
        Err(error) if error.is_not_found() => Ok(()),
        result => result,
    }
}

/// The kernel only says that something is in use, or exists.
fn explain(socket: &mut Socket, error: Error, port: u16) -> TunnelError {
    if !matches!(error.errno(), Some(libc::EADDRINUSE | libc::EEXIST)) {
        return error.into();
    }
    match holder_of(socket, port) {
        Ok(Some(holder)) => TunnelError::PortInUse { port, holder },
        Ok(None) | Err(_) => error.into(),
    }
}
