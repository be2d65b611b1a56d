//! Taking away everything that an agent ever hung, pinned or mounted.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    Error,
    attach::clsact,
    pins::{self, file},
};
use crate::{control::Program, netlink::Socket};

/// Where disciplines that were added are noted.
pub(super) fn marks(run_dir: &Path) -> PathBuf {
    run_dir.join("clsact")
}

/// Removes every pin of an agent, which detaches its programs where links hold them, and unmounts the
/// bpffs if an agent mounted it; returns how many pins there were.
pub fn remove_pins(run_dir: &Path) -> Result<usize, Error> {
    pins::remove_all(run_dir)
}

/// Removes our filters in the calling thread's network namespace, and the disciplines that were added
/// for them unless others use them; returns how many filters there were.
pub fn remove_filters(run_dir: &Path) -> Result<usize, Error> {
    let failed = |ifindex| move |source| Error::Filter { ifindex, source };
    let mut socket = Socket::open().map_err(failed(0))?;
    let mut count = 0;
    for link in socket.links().map_err(failed(0))? {
        for program in [
            Program::FromContainer,
            Program::FromUnderlay,
            Program::FromTunnel,
        ] {
            let name = super::program_name(program);
            let ours = clsact::ours(&mut socket, link.ifindex, name)?;
            count += ours.len();
            clsact::detach(name, link.ifindex)?;
        }
    }
    let marks = marks(run_dir);
    for ifindex in clsact::marked(&marks)? {
        clsact::drop_discipline(&mut socket, ifindex)?;
    }
    if marks.exists() {
        fs::remove_dir_all(&marks).map_err(file("remove", &marks))?;
    }
    Ok(count)
}
