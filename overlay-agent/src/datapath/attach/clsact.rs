//! Filters of a clsact queueing discipline, for kernels before 6.6. A filter stays until somebody
//! deletes it or its device.

use std::{fs, io, mem, path::Path};

use aya::programs::{
    SchedClassifier,
    tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle},
};
use nix::libc;

use super::{attach_type, is_gone, name_of};
use crate::{
    control::{Filter, Hook, PortErrorKind, TrafficControl},
    datapath::{Error, error::program_errno, pins::file},
};

/// Before the filters of others, which usually take what the kernel gives: 49152.
pub(in crate::datapath) const PRIORITY: u16 = 1;

/// "ov": unlikely to be somebody else's in the same priority.
pub(in crate::datapath) const HANDLE: TcHandle = TcHandle::new(0, 0x6f76);

/// Attaches, or puts the program in the place of its predecessor. Adds the discipline where it is
/// missing and notes that in the directory `marks`, if given, so that it can be taken away again.
pub(in crate::datapath) fn attach(
    traffic: &mut dyn TrafficControl,
    program: &mut SchedClassifier,
    name: &'static str,
    hook: Hook,
    marks: Option<&Path>,
) -> Result<(), Error> {
    let ifindex = hook.ifindex;
    let kind = attach_type(hook.program.direction());
    let device = name_of(ifindex)?;
    ensure_discipline(traffic, ifindex, marks)?;
    let link = SchedClassifierLink::attached(&device, kind, PRIORITY, HANDLE, None)
        .map_err(|_gone| Error::NoDevice { ifindex })?;
    let options = NlOptions {
        priority: PRIORITY,
        handle: HANDLE,
        classid: None,
    };
    let attached = match program.attach_to_link(link) {
        Err(error) if program_errno(&error) == Some(libc::ENOENT) => {
            program.attach_with_options(&device, kind, TcAttachOptions::Netlink(options))
        }
        replaced => replaced,
    };
    let link = attached.and_then(|id| program.take_link(id));
    let link = link.map_err(|source| {
        if is_gone(program_errno(&source)) {
            Error::NoDevice { ifindex }
        } else {
            Error::Program {
                operation: "attach",
                program: name,
                source,
            }
        }
    })?;
    // Dropping it would detach the program.
    mem::forget(link);
    Ok(())
}

/// Deletes our filter; that it was not there is no error.
pub(in crate::datapath) fn detach(
    traffic: &mut dyn TrafficControl,
    name: &str,
    hook: Hook,
) -> Result<(), Error> {
    for filter in ours(traffic, hook, name)? {
        traffic.delete_filter(&filter)?;
    }
    Ok(())
}

/// Our filters with this name on a device; none if the device or its discipline is gone.
pub(in crate::datapath) fn ours(
    traffic: &mut dyn TrafficControl,
    hook: Hook,
    name: &str,
) -> Result<Vec<Filter>, Error> {
    let is_ours = |filter: &Filter| {
        filter.priority == PRIORITY
            && filter.handle == u32::from(HANDLE)
            && filter.name.as_deref() == Some(name)
    };
    let filters = traffic.filters(hook.ifindex, hook.program.direction())?;
    Ok(filters.into_iter().filter(is_ours).collect())
}

/// Whether the program with this number runs on the device.
pub(in crate::datapath) fn is_attached(
    traffic: &mut dyn TrafficControl,
    name: &str,
    hook: Hook,
    program_id: u32,
) -> Result<bool, Error> {
    let filters = ours(traffic, hook, name)?;
    Ok(filters
        .iter()
        .any(|filter| filter.program_id == Some(program_id)))
}

fn ensure_discipline(
    traffic: &mut dyn TrafficControl,
    ifindex: u32,
    marks: Option<&Path>,
) -> Result<(), Error> {
    let was_missing = match traffic.add_discipline(ifindex) {
        Err(error) if error.kind == PortErrorKind::Gone => return Err(Error::NoDevice { ifindex }),
        added => added?,
    };
    let Some(marks) = marks.filter(|_| was_missing) else {
        return Ok(());
    };
    fs::create_dir_all(marks).map_err(file("make", marks))?;
    let mark = marks.join(ifindex.to_string());
    fs::write(&mark, "").map_err(file("write", &mark))
}

/// The devices to which a discipline was added.
pub(in crate::datapath) fn marked(marks: &Path) -> Result<Vec<u32>, Error> {
    let entries = match fs::read_dir(marks) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(file("list", marks))?,
    };
    let mut devices = Vec::new();
    for entry in entries {
        let name = entry.map_err(file("list", marks))?.file_name();
        devices.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(devices)
}
