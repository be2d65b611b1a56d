//! The data plane in the kernel, as `control` sees it.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
};

use aya::programs::ProgramInfo;

use super::{
    AttachMode, DatapathConfig, Error, Pins,
    attach::{clsact, tcx},
    load::Programs,
    map_name,
    maps::Maps,
    program_name, remove_filters,
};
use crate::{
    control::{Datapath, Hook, Inspect, Key, PortError, Program, Row, Table},
    model::Vni,
    netlink::Socket,
};

const PROGRAMS: [Program; 3] = [
    Program::FromContainer,
    Program::FromUnderlay,
    Program::FromTunnel,
];

/// Reads the data plane through its pins, beside the one who writes it.
#[derive(Debug)]
pub struct KernelInspector {
    maps: Maps,
    program_ids: BTreeMap<Program, u32>,
    mode: AttachMode,
}

impl KernelInspector {
    /// Opens what is pinned now. After programs were loaded anew it has to be opened again.
    pub fn open(pins: &Pins, mode: AttachMode) -> Result<Self, Error> {
        let mut program_ids = BTreeMap::new();
        for program in PROGRAMS {
            let name = program_name(program);
            let info = ProgramInfo::from_pin(pins.program(name));
            let info = info.map_err(|source| Error::Program {
                operation: "open",
                program: name,
                source,
            })?;
            program_ids.insert(program, info.id());
        }
        Ok(Self {
            maps: Maps::open(pins)?,
            program_ids,
            mode,
        })
    }

    /// The longest block around an address, as the programs look it up.
    pub fn block_around(&self, vni: Vni, address: IpAddr) -> Result<Option<Row>, PortError> {
        self.maps
            .block_around(vni, address)
            .map_err(|error| failed("read", map_name(Table::Block), error))
    }
}

impl Inspect for KernelInspector {
    fn get(&self, key: &Key) -> Result<Option<Row>, PortError> {
        self.maps
            .get(key)
            .map_err(|error| failed("read", entry(key), error))
    }

    fn rows(&self, table: Table, visit: &mut dyn FnMut(Row)) -> Result<(), PortError> {
        self.maps
            .rows(table, visit)
            .map_err(|error| failed("read", map_name(table), error))
    }

    fn is_attached(&self, hook: Hook) -> Result<bool, PortError> {
        let Some(program_id) = self.program_ids.get(&hook.program).copied() else {
            return Ok(false);
        };
        let is_attached = match self.mode {
            AttachMode::Tcx => tcx::is_attached(hook.ifindex, program_id),
            AttachMode::Clsact => {
                clsact::is_attached(program_name(hook.program), hook.ifindex, program_id)
            }
        };
        is_attached.map_err(|error| failed("look for", attachment(hook), error))
    }
}

/// Loads, attaches and writes.
#[derive(Debug)]
pub struct KernelDatapath {
    inspector: KernelInspector,
    programs: Programs,
    pins: Pins,
    config: DatapathConfig,
    marks: PathBuf,
    run_dir: PathBuf,
}

impl KernelDatapath {
    /// Loads the programs over the pinned maps. What is attached already goes on running in its old
    /// version until it is attached again. `run_dir` is for notes about what has to be taken away in
    /// the end.
    pub fn load(
        pins: Pins,
        config: DatapathConfig,
        mode: AttachMode,
        run_dir: &Path,
    ) -> Result<Self, Error> {
        let programs = Programs::load(&pins, &config)?;
        Ok(Self {
            inspector: KernelInspector::open(&pins, mode)?,
            programs,
            pins,
            config,
            marks: super::uninstall::marks(run_dir),
            run_dir: run_dir.to_owned(),
        })
    }

    /// Detaches what an earlier agent attached in the other way. Until then the programs of the two
    /// hang one behind the other, and the first one decides.
    pub fn drop_other_mode(&self) -> Result<(), Error> {
        match self.inspector.mode {
            AttachMode::Tcx if self.marks.exists() => remove_filters(&self.run_dir).map(drop),
            AttachMode::Tcx => Ok(()),
            AttachMode::Clsact => {
                let links = self.pins.pinned_links()?;
                links
                    .iter()
                    .try_for_each(|hook| tcx::detach(&self.pins.link(*hook)))
            }
        }
    }
}

impl Inspect for KernelDatapath {
    fn get(&self, key: &Key) -> Result<Option<Row>, PortError> {
        self.inspector.get(key)
    }

    fn rows(&self, table: Table, visit: &mut dyn FnMut(Row)) -> Result<(), PortError> {
        self.inspector.rows(table, visit)
    }

    fn is_attached(&self, hook: Hook) -> Result<bool, PortError> {
        self.inspector.is_attached(hook)
    }
}

impl Datapath for KernelDatapath {
    fn put(&mut self, row: &Row) -> Result<(), PortError> {
        let written = self.inspector.maps.put(row);
        written.map_err(|error| failed("write", entry(&row.key()), error))
    }

    fn remove(&mut self, key: &Key) -> Result<(), PortError> {
        let removed = self.inspector.maps.remove(key);
        removed.map_err(|error| failed("remove", entry(key), error))
    }

    fn attach(&mut self, hook: Hook) -> Result<(), PortError> {
        let name = program_name(hook.program);
        let attached = self.programs.get(hook.program).and_then(|program| {
            match self.inspector.mode {
                AttachMode::Tcx => tcx::attach(program, name, hook.ifindex, &self.pins.link(hook)),
                AttachMode::Clsact => {
                    // Other devices are ours and take their disciplines with them.
                    let is_foreign = hook.program == Program::FromUnderlay;
                    let marks = is_foreign.then_some(self.marks.as_path());
                    clsact::attach(program, name, hook.ifindex, marks)
                }
            }
        });
        attached.map_err(|error| failed("attach", attachment(hook), error))
    }

    fn detach(&mut self, hook: Hook) -> Result<(), PortError> {
        let detached = match self.inspector.mode {
            AttachMode::Tcx => tcx::detach(&self.pins.link(hook)),
            AttachMode::Clsact => clsact::detach(program_name(hook.program), hook.ifindex),
        };
        detached.map_err(|error| failed("detach", attachment(hook), error))
    }

    fn hooks(&self) -> Result<Vec<Hook>, PortError> {
        let hooks = match self.inspector.mode {
            AttachMode::Tcx => self.pins.pinned_links(),
            AttachMode::Clsact => filters(),
        };
        hooks.map_err(|error| failed("list", "what is attached", error))
    }

    fn retarget(&mut self, tunnel_ifindex: u32) -> Result<(), PortError> {
        let config = DatapathConfig {
            tunnel_ifindex,
            ..self.config
        };
        let mode = self.inspector.mode;
        let reload = || {
            let programs = Programs::load(&self.pins, &config)?;
            Ok((programs, KernelInspector::open(&self.pins, mode)?))
        };
        let reloaded = reload();
        let (programs, inspector) = reloaded.map_err(|error| {
            failed(
                "load the programs for",
                format!("vxlan device {tunnel_ifindex}"),
                error,
            )
        })?;
        self.programs = programs;
        self.inspector = inspector;
        self.config = config;
        Ok(())
    }
}

/// Our filters on every device.
fn filters() -> Result<Vec<Hook>, Error> {
    let failed = |source| Error::Filter { ifindex: 0, source };
    let mut socket = Socket::open().map_err(failed)?;
    let mut hooks = Vec::new();
    for link in socket.links().map_err(failed)? {
        for program in PROGRAMS {
            let filters = clsact::ours(&mut socket, link.ifindex, program_name(program))?;
            let hook = Hook {
                program,
                ifindex: link.ifindex,
            };
            hooks.extend(filters.first().map(|_| hook));
        }
    }
    Ok(hooks)
}

fn entry(key: &Key) -> String {
    format!("{} {key}", map_name(key.table()))
}

fn attachment(hook: Hook) -> String {
    format!(
        "{} at interface {}",
        program_name(hook.program),
        hook.ifindex
    )
}

fn failed(operation: &'static str, object: impl std::fmt::Display, error: Error) -> PortError {
    PortError::new(operation, object, error.kind(), error)
}
