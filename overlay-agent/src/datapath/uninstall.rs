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

/// What was taken away.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Removed {
    /// Pinned programs, maps and links.
    pub pins: usize,
    /// Filters of clsact disciplines.
    pub filters: usize,
}

/// Where disciplines that were added are noted.
pub(super) fn marks(run_dir: &Path) -> PathBuf {
    run_dir.join("clsact")
}

/// Takes it all away, in the calling thread's network namespace. There may be nothing.
pub fn uninstall(run_dir: &Path) -> Result<Removed, Error> {
    let filters = remove_filters(run_dir)?;
    let pins = pins::remove_all(run_dir)?;
    Ok(Removed { pins, filters })
}

fn remove_filters(run_dir: &Path) -> Result<usize, Error> {
    let failed = |ifindex| move |source| Error::Filter { ifindex, source };
    let mut socket = Socket::open().map_err(failed(0))?;
    let mut count = 0;
    for link in socket.links().map_err(failed(0))? {
        for program in [Program::FromContainer, Program::FromUnderlay, Program::FromTunnel] {
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
