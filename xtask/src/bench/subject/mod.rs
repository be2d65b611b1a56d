//! What is measured against what: each subject is two hosts of its own on the same kind of underlay.

pub(crate) mod docker;
mod host;
mod kernel;
mod overlay;
mod swarm;

use std::fmt;

use anyhow::Result;
use overlay_tests::{Binaries, Session, Wiring, static_config::Encap};

use super::{case::Place, measure::Route};

/// The subjects by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Name {
    /// Plain hosts, no overlay: the yardstick.
    Host,
    /// The kernel's bridge and vxlan device.
    Kernel,
    /// Our agent with native encapsulation.
    Overlay,
    /// Our agent with the kernel's vxlan device.
    OverlayDevice,
    /// Our agents in a swarm, instead of with a file each.
    Swarm,
    /// A Docker engine's overlay network.
    Docker,
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Host => "host",
            Self::Kernel => "kernel",
            Self::Overlay => "overlay",
            Self::OverlayDevice => "overlay-device",
            Self::Swarm => "swarm",
            Self::Docker => "docker",
        })
    }
}

/// A subject that is up and can be measured.
#[derive(Debug)]
pub(crate) struct Subject {
    /// Its name.
    pub(crate) name: Name,
    remote: Route,
    local: Route,
    /// Agents and devices, which live as long as the subject.
    _bed: Bed,
}

/// What holds a subject up.
#[derive(Debug)]
#[expect(dead_code, reason = "held for their Drop")]
enum Bed {
    Host(host::Bed),
    Kernel(kernel::Bed),
    Overlay(overlay::Bed),
    Swarm(swarm::Bed),
    Docker(docker::Bed),
    /// Somebody else does.
    Elsewhere,
}

impl Subject {
    /// Plain hosts.
    pub(crate) fn host(session: &Session, wiring: Wiring) -> Result<Self> {
        let (bed, remote, local) = host::build(session, wiring)?;
        Ok(Self {
            name: Name::Host,
            remote,
            local,
            _bed: Bed::Host(bed),
        })
    }

    /// The kernel's overlay.
    pub(crate) fn kernel(session: &Session, wiring: Wiring) -> Result<Self> {
        let (bed, remote, local) = kernel::build(session, wiring)?;
        Ok(Self {
            name: Name::Kernel,
            remote,
            local,
            _bed: Bed::Kernel(bed),
        })
    }

    /// Our overlay.
    pub(crate) fn overlay(
        session: &Session,
        wiring: Wiring,
        encap: Encap,
        binaries: &Binaries,
    ) -> Result<Self> {
        let name = match encap {
            Encap::Native | Encap::Auto => Name::Overlay,
            Encap::Device => Name::OverlayDevice,
        };
        let (bed, remote, local) =
            overlay::build(session, &name.to_string(), wiring, encap, binaries)?;
        Ok(Self {
            name,
            remote,
            local,
            _bed: Bed::Overlay(bed),
        })
    }

    /// Our overlay, as a cluster of its own.
    pub(crate) fn swarm(wiring: Wiring, binaries: &Binaries) -> Result<Self> {
        let (bed, remote, local) = swarm::build(wiring, binaries)?;
        Ok(Self {
            name: Name::Swarm,
            remote,
            local,
            _bed: Bed::Swarm(bed),
        })
    }

    /// Docker's overlay.
    pub(crate) fn docker(session: &Session, wiring: Wiring) -> Result<Self> {
        let (bed, remote, local) = docker::build(session, wiring)?;
        Ok(Self {
            name: Name::Docker,
            remote,
            local,
            _bed: Bed::Docker(bed),
        })
    }

    /// A subject that its caller built and keeps up.
    pub(crate) fn running(name: Name, remote: Route, local: Route) -> Self {
        Self {
            name,
            remote,
            local,
            _bed: Bed::Elsewhere,
        }
    }

    /// Its two ends at `place`.
    pub(crate) fn route(&self, place: Place) -> &Route {
        match place {
            Place::Remote => &self.remote,
            Place::Local => &self.local,
        }
    }
}
