//! Loading the programs for one configuration.

use std::{fs, path::Path};

use aya::{
    Ebpf, EbpfLoader, VerifierLogLevel,
    maps::MapInfo,
    pin::PinError,
    programs::{CgroupSockAddr, ProgramError, SchedClassifier},
};
use overlay_common::{
    abi::{self, program},
    address::Address,
    config::Config,
};

use super::{Capacity, Error, Pins, SocketHooks, object::OBJECT, pins::file, spec};
use crate::{
    control::{Program, SocketCall},
    model::EncryptionMark,
};

/// What the programs are loaded with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DatapathConfig {
    /// This node's data-path address.
    pub address: std::net::IpAddr,
    /// The vxlan device.
    pub tunnel_ifindex: u32,
    /// UDP port of VXLAN.
    pub port: u16,
    /// First and last outer source port.
    pub source_ports: (u16, u16),
    /// One of this many drops of a reason becomes an event; 0: none.
    pub event_sample: u32,
    /// Whether a packet of one family can be taken out of one of the other.
    pub decap_l3: bool,
    /// Our part of packets' marks.
    pub mark: EncryptionMark,
    /// Whether the programs at sockets are loaded, and whether they can say why they refuse.
    pub sockets: Option<SocketHooks>,
    /// Whether packets to virtual addresses are balanced.
    pub packet_lb: bool,
    /// How many entries each table has room for.
    pub capacity: Capacity,
}

impl DatapathConfig {
    fn encode(&self) -> Config {
        let own = Address::from(self.address);
        let (local_ipv4, local_ipv6) = match self.address {
            std::net::IpAddr::V4(_) => (own, Address::UNSPECIFIED),
            std::net::IpAddr::V6(_) => (Address::UNSPECIFIED, own),
        };
        Config {
            local_ipv4,
            local_ipv6,
            tunnel_ifindex: self.tunnel_ifindex,
            event_sample: self.event_sample,
            port: self.port,
            source_port_first: self.source_ports.0,
            source_port_last: self.source_ports.1,
            decap_l3: u16::from(self.decap_l3),
            mark: self.mark.outbound(),
            set_retval: u16::from(self.sockets.is_some_and(|hooks| hooks.can_explain)),
            packet_lb: u16::from(self.packet_lb),
        }
    }
}

/// The programs in the kernel.
#[derive(Debug)]
pub(super) struct Programs {
    ebpf: Ebpf,
}

impl Programs {
    /// Loads every program and pins it in the place of its predecessor. Maps that are pinned are used
    /// as they are, the others are made.
    pub(super) fn load(pins: &Pins, config: &DatapathConfig) -> Result<Self, Error> {
        // The verifier is asked for its reasons only when it refuses: writing them down takes longer
        // than checking.
        match Self::load_with(pins, config, VerifierLogLevel::DISABLE) {
            Err(Error::Program { .. }) => {
                Self::load_with(pins, config, VerifierLogLevel::default())
            }
            loaded => loaded,
        }
    }

    fn load_with(
        pins: &Pins,
        config: &DatapathConfig,
        log_level: VerifierLogLevel,
    ) -> Result<Self, Error> {
        let specs = spec::maps(&config.capacity);
        let globals = config.encode();
        let mut loader = EbpfLoader::new();
        loader
            .override_global(abi::CONFIG, &globals, true)
            .default_map_pin_directory(pins.maps())
            .verifier_log_level(log_level);
        for spec in &specs {
            if let Some(capacity) = spec.capacity {
                loader.map_max_entries(spec.name, capacity);
            }
        }
        let ebpf = loader
            .load(OBJECT)
            .map_err(|source| Error::Object { source })?;
        for spec in &specs {
            let info = MapInfo::from_pin(pins.map(spec.name));
            let info = info.map_err(|source| Error::Map {
                operation: "open",
                map: spec.name,
                source,
            })?;
            spec.check(&info)?;
        }

        let mut programs = Self { ebpf };
        for program in Program::OF_DEVICES {
            let classifier = programs.of_device(program)?;
            let outcome = classifier.load();
            place(pins, program, outcome, |path| classifier.pin(path))?;
        }
        for call in SocketCall::ALL {
            let program = Program::Socket(call);
            if config.sockets.is_some() {
                let socket = programs.of_sockets(call)?;
                let outcome = socket.load();
                place(pins, program, outcome, |path| socket.pin(path))?;
            } else {
                clear(&pins.program(program_name(program)))?;
            }
        }
        Ok(programs)
    }

    /// A loaded program for devices.
    pub(super) fn of_device(&mut self, program: Program) -> Result<&mut SchedClassifier, Error> {
        let name = program_name(program);
        let program = self.ebpf.program_mut(name);
        program
            .and_then(|program| program.try_into().ok())
            .ok_or(Error::NoProgram { program: name })
    }

    /// A program for sockets, loaded if they are to be balanced.
    pub(super) fn of_sockets(&mut self, call: SocketCall) -> Result<&mut CgroupSockAddr, Error> {
        let name = program_name(Program::Socket(call));
        let program = self.ebpf.program_mut(name);
        program
            .and_then(|program| program.try_into().ok())
            .ok_or(Error::NoProgram { program: name })
    }
}

/// Pins a program that was loaded in the place of its predecessor.
fn place(
    pins: &Pins,
    program: Program,
    loaded: Result<(), ProgramError>,
    pin: impl FnOnce(&Path) -> Result<(), PinError>,
) -> Result<(), Error> {
    let name = program_name(program);
    loaded.map_err(|source| Error::Program {
        operation: "load",
        program: name,
        source,
    })?;
    let path = pins.program(name);
    clear(&path)?;
    pin(&path).map_err(|source| Error::Pin { path, source })
}

fn clear(path: &Path) -> Result<(), Error> {
    if path.exists() {
        fs::remove_file(path).map_err(file("remove", path))?;
    }
    Ok(())
}

/// A program's name in the object.
pub fn program_name(program: Program) -> &'static str {
    match program {
        Program::FromContainer => program::FROM_CONTAINER,
        Program::FromUnderlay => program::FROM_UNDERLAY,
        Program::FromTunnel => program::FROM_TUNNEL,
        Program::FromHost => program::FROM_HOST,
        Program::ToUnderlay => program::TO_UNDERLAY,
        Program::Socket(call) => match call {
            SocketCall::Connect4 => program::CONNECT4,
            SocketCall::Connect6 => program::CONNECT6,
            SocketCall::Sendmsg4 => program::SENDMSG4,
            SocketCall::Sendmsg6 => program::SENDMSG6,
            SocketCall::Recvmsg4 => program::RECVMSG4,
            SocketCall::Recvmsg6 => program::RECVMSG6,
            SocketCall::Getpeername4 => program::GETPEERNAME4,
            SocketCall::Getpeername6 => program::GETPEERNAME6,
        },
    }
}
