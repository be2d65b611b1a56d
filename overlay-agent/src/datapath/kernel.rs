//! The data plane in the kernel, as `control` sees it.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
};

use aya::programs::ProgramInfo;

use super::{
    AttachMode, DatapathConfig, Error, Pins,
    attach::{cgroup, clsact, tcx},
    load::Programs,
    map_name,
    maps::Maps,
    program_name,
    uninstall::{self, remove_filters},
};
use crate::{
    control::{Datapath, Hook, Inspect, Key, PortError, Program, Row, Table, TrafficControl},
    model::Vni,
};

/// Reads the data plane through its pins, beside the one who writes it.
#[derive(Debug)]
pub struct KernelInspector {
    maps: Maps,
    pins: Pins,
    program_ids: BTreeMap<Program, u32>,
    mode: AttachMode,
    traffic: RefCell<Box<dyn TrafficControl>>,
}

impl KernelInspector {
    /// Opens what is pinned now. After programs were loaded anew it has to be opened again.
    pub fn open(
        pins: &Pins,
        mode: AttachMode,
        traffic: Box<dyn TrafficControl>,
    ) -> Result<Self, Error> {
        Ok(Self {
            maps: Maps::open(pins)?,
            pins: pins.clone(),
            program_ids: pinned_programs(pins)?,
            mode,
            traffic: RefCell::new(traffic),
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

    fn rows(&self, table: Table, visit: &mut dyn FnMut(Row)) -> Result<u64, PortError> {
        self.maps
            .rows(table, visit)
            .map_err(|error| failed("read", map_name(table), error))
    }

    fn is_attached(&self, hook: Hook) -> Result<bool, PortError> {
        let Some(program_id) = self.program_ids.get(&hook.program).copied() else {
            return Ok(false);
        };
        let is_attached = match (hook.program, self.mode) {
            (Program::Socket(_), _) => cgroup::is_attached(&self.pins.link(hook), program_id),
            (_, AttachMode::Tcx) => {
                tcx::is_attached(hook.ifindex, hook.program.direction(), program_id)
            }
            (_, AttachMode::Clsact) => {
                let traffic = &mut **self.traffic.borrow_mut();
                clsact::is_attached(traffic, program_name(hook.program), hook, program_id)
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
        traffic: Box<dyn TrafficControl>,
        run_dir: &Path,
    ) -> Result<Self, Error> {
        let programs = Programs::load(&pins, &config)?;
        Ok(Self {
            inspector: KernelInspector::open(&pins, mode, traffic)?,
            programs,
            pins,
            config,
            marks: uninstall::marks(run_dir),
            run_dir: run_dir.to_owned(),
        })
    }

    /// Detaches what an earlier agent attached in the other way. Until then the programs of the two
    /// hang one behind the other, and the first one decides.
    pub fn drop_other_mode(&mut self) -> Result<(), Error> {
        match self.inspector.mode {
            AttachMode::Tcx if self.marks.exists() => {
                let traffic = &mut **self.inspector.traffic.get_mut();
                remove_filters(&self.run_dir, traffic).map(drop)
            }
            AttachMode::Tcx => Ok(()),
            AttachMode::Clsact => {
                let links = self.pins.pinned_links()?;
                links
                    .iter()
                    .filter(|hook| !matches!(hook.program, Program::Socket(_)))
                    .try_for_each(|hook| tcx::detach(&self.pins.link(*hook)))
            }
        }
    }
}

impl KernelDatapath {
    fn attach_to_device(&mut self, hook: Hook) -> Result<(), Error> {
        let name = program_name(hook.program);
        let traffic = &mut **self.inspector.traffic.get_mut();
        let program = self.programs.of_device(hook.program)?;
        match self.inspector.mode {
            AttachMode::Tcx => tcx::attach(program, name, hook, &self.pins.link(hook)),
            AttachMode::Clsact => {
                // Other devices are ours and take their disciplines with them.
                let is_foreign =
                    matches!(hook.program, Program::FromUnderlay | Program::ToUnderlay);
                let marks = is_foreign.then_some(self.marks.as_path());
                clsact::attach(traffic, program, name, hook, marks)
            }
        }
    }
}

impl Inspect for KernelDatapath {
    fn get(&self, key: &Key) -> Result<Option<Row>, PortError> {
        self.inspector.get(key)
    }

    fn rows(&self, table: Table, visit: &mut dyn FnMut(Row)) -> Result<u64, PortError> {
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

    fn purge(&mut self, table: Table) -> Result<u64, PortError> {
        let purged = self.inspector.maps.purge(table);
        purged.map_err(|error| failed("purge", map_name(table), error))
    }

    fn attach(&mut self, hook: Hook) -> Result<(), PortError> {
        let attached = match hook.program {
            Program::Socket(call) => self.programs.of_sockets(call).and_then(|program| {
                cgroup::attach(program, program_name(hook.program), &self.pins.link(hook))
            }),
            Program::FromContainer
            | Program::FromUnderlay
            | Program::FromTunnel
            | Program::FromHost
            | Program::ToUnderlay => self.attach_to_device(hook),
        };
        attached.map_err(|error| failed("attach", attachment(hook), error))
    }

    fn detach(&mut self, hook: Hook) -> Result<(), PortError> {
        let detached = match (hook.program, self.inspector.mode) {
            (Program::Socket(_), _) => cgroup::detach(&self.pins.link(hook)),
            (_, AttachMode::Tcx) => tcx::detach(&self.pins.link(hook)),
            (_, AttachMode::Clsact) => {
                let traffic = &mut **self.inspector.traffic.get_mut();
                clsact::detach(traffic, program_name(hook.program), hook)
            }
        };
        detached.map_err(|error| failed("detach", attachment(hook), error))
    }

    fn hooks(&self) -> Result<Vec<Hook>, PortError> {
        let pinned = self.pins.pinned_links();
        let hooks = match self.inspector.mode {
            AttachMode::Tcx => pinned,
            AttachMode::Clsact => pinned.and_then(|mut hooks| {
                hooks.retain(|hook| matches!(hook.program, Program::Socket(_)));
                hooks.extend(filters(&mut **self.inspector.traffic.borrow_mut())?);
                Ok(hooks)
            }),
        };
        hooks.map_err(|error| failed("list", "what is attached", error))
    }

    fn retarget(&mut self, tunnel_ifindex: u32) -> Result<(), PortError> {
        let config = DatapathConfig {
            tunnel_ifindex,
            ..self.config
        };
        let reload = || {
            let programs = Programs::load(&self.pins, &config)?;
            Ok((programs, pinned_programs(&self.pins)?))
        };
        let reloaded = reload();
        let (programs, program_ids) = reloaded.map_err(|error| {
            let object = format!("vxlan device {tunnel_ifindex}");
            failed("load the programs for", object, error)
        })?;
        self.programs = programs;
        self.inspector.program_ids = program_ids;
        self.config = config;
        Ok(())
    }
}

/// The kernel's numbers of the programs that are pinned; those of sockets need not be.
fn pinned_programs(pins: &Pins) -> Result<BTreeMap<Program, u32>, Error> {
    let is_there = |program: &Program| {
        !matches!(program, Program::Socket(_)) || pins.program(program_name(*program)).exists()
    };
    let number = |program| {
        let name = program_name(program);
        let info = ProgramInfo::from_pin(pins.program(name));
        let info = info.map_err(|source| Error::Program {
            operation: "open",
            program: name,
            source,
        })?;
        Ok((program, info.id()))
    };
    Program::all().filter(is_there).map(number).collect()
}

/// Our filters on every device.
fn filters(traffic: &mut dyn TrafficControl) -> Result<Vec<Hook>, Error> {
    let mut hooks = Vec::new();
    for ifindex in traffic.devices()? {
        for program in Program::OF_DEVICES {
            let hook = Hook { program, ifindex };
            let filters = clsact::ours(traffic, hook, program_name(program))?;
            hooks.extend(filters.first().map(|_| hook));
        }
    }
    Ok(hooks)
}

fn entry(key: &Key) -> String {
    format!("{} {key}", map_name(key.table()))
}

fn attachment(hook: Hook) -> String {
    format!("{} at {}", program_name(hook.program), hook.place())
}

fn failed(operation: &'static str, object: impl std::fmt::Display, error: Error) -> PortError {
    PortError::new(operation, object, error.kind(), error)
}
