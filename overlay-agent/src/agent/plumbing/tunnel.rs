//! The collect-metadata vxlan device: it takes what the programs leave to the kernel, and keeps the
//! UDP port open, without which the kernel would not aggregate tunnelled packets. What is written on
//! it says whose namespace this is.

use std::path::{Path, PathBuf};

use nix::libc;

use super::{
    port::{PortHolder, holder},
    sysctl::set_ipv6,
};
use crate::{
    control::Action,
    netlink::{Error, Link, Socket, VxlanDevice, VxlanSettings},
};

/// Its name. One agent has a namespace for itself.
pub(in crate::agent) const NAME: &str = "ovl-vxlan";

/// The most that the kernel takes: a packet too big for the underlay is then fragmented outside
/// instead of being refused.
const MTU: u32 = 65_485;

/// What the alias begins with; the run directory follows.
const ALIAS: &str = "overlay ";

/// Why there is no vxlan device.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// Another device has the name.
    #[error(
        "interface {NAME} is there and was not made by overlay; rename it or delete it with `ip link \
         delete {NAME}`"
    )]
    Foreign,
    /// The namespace belongs to an agent with another run directory.
    #[error(
        "this network namespace belongs to the agent of {}; start it with that --run-dir, or take it \
         away with `overlay-agent uninstall --run-dir {} --data-dir …`", .run_dir.display(), .run_dir.display()
    )]
    OtherAgent {
        /// The other agent's run directory.
        run_dir: PathBuf,
    },
    /// Another program or device has the UDP port.
    #[error(
        "UDP port {port} is in use by {holder}; stop that, or choose another datapath.port on every node"
    )]
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

/// What the device should be.
#[derive(Clone, Debug)]
pub(super) struct Tunnel {
    /// UDP port.
    pub(super) port: u16,
    /// Whose it is.
    pub(super) run_dir: PathBuf,
    /// The index that the programs know it by, once there is one.
    pub(super) ifindex: Option<u32>,
}

impl Tunnel {
    /// Makes the device, or repairs what differs; returns its index and what it did. A device that has
    /// to be made again gets the index that it had, if that is still free.
    pub(super) fn ensure(
        &mut self,
        socket: &mut Socket,
    ) -> Result<(u32, Option<Action>), TunnelError> {
        let wanted = VxlanSettings::external(self.port);
        let (link, was_made) = match self.find(socket)? {
            Some(link) if link.vxlan == Some(wanted) => (link, false),
            Some(link) => {
                delete(socket, &link)?;
                (self.create(socket, wanted)?, true)
            }
            None => (self.create(socket, wanted)?, true),
        };
        let was_repaired = self.configure(socket, &link).inspect_err(|_| {
            if was_made && let Err(leftover) = delete(socket, &link) {
                let leftover: &dyn std::error::Error = &leftover;
                tracing::warn!(leftover, "a half-made {NAME} is left");
            }
        })?;
        self.ifindex = Some(link.ifindex);
        let action = match (was_made, was_repaired) {
            (true, _) => Some(Action::Added),
            (false, true) => Some(Action::Changed),
            (false, false) => None,
        };
        Ok((link.ifindex, action))
    }

    /// Deletes the device, if it is ours; returns whether there was one.
    pub(super) fn remove(&self, socket: &mut Socket) -> Result<bool, TunnelError> {
        let Some(link) = self.find(socket)? else {
            return Ok(false);
        };
        delete(socket, &link)?;
        Ok(true)
    }

    /// The device, if it is ours or nobody's.
    pub(super) fn find(&self, socket: &mut Socket) -> Result<Option<Link>, TunnelError> {
        let Some(link) = socket.find_link(NAME)? else {
            return Ok(None);
        };
        if !link.vxlan.is_some_and(|settings| settings.is_external) {
            return Err(TunnelError::Foreign);
        }
        let owner = link
            .alias
            .as_deref()
            .and_then(|alias| alias.strip_prefix(ALIAS));
        match owner.map(Path::new) {
            Some(owner) if owner != self.run_dir => Err(TunnelError::OtherAgent {
                run_dir: owner.to_owned(),
            }),
            Some(_) | None => Ok(Some(link)),
        }
    }

    fn create(&self, socket: &mut Socket, settings: VxlanSettings) -> Result<Link, TunnelError> {
        let device = VxlanDevice {
            name: NAME,
            mac: None,
            mtu: Some(MTU),
            settings,
        };
        let made = match self.ifindex {
            Some(ifindex) => match socket.create_vxlan_at(&device, ifindex) {
                Err(error) if error.errno() == Some(libc::EBUSY) || error.is_exists() => {
                    socket.create_vxlan(&device)
                }
                made => made,
            },
            None => socket.create_vxlan(&device),
        };
        made.map_err(|error| self.explain(socket, error))
    }

    /// Returns whether anything was different.
    fn configure(&self, socket: &mut Socket, link: &Link) -> Result<bool, TunnelError> {
        let alias = format!("{ALIAS}{}", self.run_dir.display());
        let has_alias = link.alias.as_ref() == Some(&alias);
        let has_mtu = link.mtu == MTU;
        if !has_alias {
            socket.set_alias(link.ifindex, &alias)?;
        }
        if !has_mtu {
            socket.set_mtu(link.ifindex, MTU)?;
        }
        if !link.is_up() {
            // It has no neighbours to announce itself to.
            set_ipv6(NAME, "disable_ipv6", "1")?;
            socket
                .set_up(link.ifindex)
                .map_err(|error| self.explain(socket, error))?;
        }
        Ok(!has_alias || !has_mtu || !link.is_up())
    }

    /// The kernel only says that something is in use, or exists.
    fn explain(&self, socket: &mut Socket, error: Error) -> TunnelError {
        if !matches!(error.errno(), Some(libc::EADDRINUSE | libc::EEXIST)) {
            return error.into();
        }
        let port = self.port;
        match holder_of(socket, port) {
            Ok(Some(holder)) => TunnelError::PortInUse { port, holder },
            Ok(None) | Err(_) => error.into(),
        }
    }
}

/// Who has the UDP port, our own device aside.
pub(in crate::agent) fn holder_of(
    socket: &mut Socket,
    port: u16,
) -> Result<Option<PortHolder>, Error> {
    holder(socket, port, NAME)
}

fn delete(socket: &mut Socket, link: &Link) -> Result<(), Error> {
    match socket.delete_link(link.ifindex) {
        Err(error) if error.is_not_found() => Ok(()),
        result => result,
    }
}
