//! TCX links (Linux 6.6). The pin of the link is what keeps the program attached.

use std::{fs, io, path::Path};

use aya::{
    programs::{
        LinkOrder, ProgramError, SchedClassifier,
        links::{FdLink, LinkError, PinnedLink},
        tc::{SchedClassifierLink, SchedClassifierLinkId, TcAttachOptions},
    },
    sys::SyscallError,
};

use super::{attach_type, is_gone, name_of};
use crate::{
    control::{Direction, Hook},
    datapath::{Error, error::program_errno, pins::file},
};

/// Attaches before every other program. A link that is pinned already gets the new program in the
/// place of the old one; one whose device is gone is replaced.
pub(in crate::datapath) fn attach(
    program: &mut SchedClassifier,
    name: &'static str,
    hook: Hook,
    pin: &Path,
) -> Result<(), Error> {
    let ifindex = hook.ifindex;
    let kind = attach_type(hook.program.direction());
    let device = name_of(ifindex)?;
    if replace(program, pin)? {
        return Ok(());
    }
    let order = TcAttachOptions::TcxOrder(LinkOrder::first());
    let attached = program.attach_with_options(&device, kind, order);
    let link = attached.and_then(|id| take(program, id));
    let link = link.map_err(|source| attach_error(name, ifindex, source))?;
    link.pin(pin).map(drop).map_err(|source| Error::Pin {
        path: pin.to_owned(),
        source,
    })
}

/// Detaches by removing the pin; that there is none is no error.
pub(in crate::datapath) fn detach(pin: &Path) -> Result<(), Error> {
    match fs::remove_file(pin) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file("remove", pin)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether the program with this number runs on the device.
pub(in crate::datapath) fn is_attached(
    ifindex: u32,
    direction: Direction,
    program_id: u32,
) -> Result<bool, Error> {
    let Ok(device) = name_of(ifindex) else {
        return Ok(false);
    };
    match SchedClassifier::query_tcx(&device, attach_type(direction)) {
        Ok((_, programs)) => Ok(programs.iter().any(|info| info.id() == program_id)),
        Err(error) if is_gone(program_errno(&error)) => Ok(false),
        Err(source) => Err(Error::Program {
            operation: "ask the kernel for",
            program: "of a device",
            source,
        }),
    }
}

/// Whether a living link was found and has the new program now.
fn replace(program: &mut SchedClassifier, pin: &Path) -> Result<bool, Error> {
    let failed = |source| Error::Link {
        operation: "open",
        path: pin.to_owned(),
        source,
    };
    let pinned = match PinnedLink::from_pin(pin) {
        Ok(pinned) => pinned,
        Err(LinkError::SyscallError(SyscallError { io_error, .. }))
            if io_error.kind() == io::ErrorKind::NotFound =>
        {
            return Ok(false);
        }
        Err(error) => return Err(failed(error)),
    };
    let link = SchedClassifierLink::try_from(FdLink::from(pinned)).map_err(failed)?;
    let replaced = program
        .attach_to_link(link)
        .and_then(|id| take(program, id));
    if replaced.is_err() {
        // The link outlived its device.
        fs::remove_file(pin).map_err(file("remove", pin))?;
    }
    Ok(replaced.is_ok())
}

/// Takes the link out of aya's hands, which would detach it in the end.
fn take(program: &mut SchedClassifier, id: SchedClassifierLinkId) -> Result<FdLink, ProgramError> {
    let link = program.take_link(id)?;
    FdLink::try_from(link).map_err(|_not_a_link| ProgramError::NotAttached)
}

fn attach_error(name: &'static str, ifindex: u32, source: ProgramError) -> Error {
    if is_gone(program_errno(&source)) {
        Error::NoDevice { ifindex }
    } else {
        Error::Program {
            operation: "attach",
            program: name,
            source,
        }
    }
}
