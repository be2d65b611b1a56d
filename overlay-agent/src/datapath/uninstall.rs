//! Taking away everything that an agent ever hung, pinned or mounted.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    Error,
    attach::clsact,
    pins::{self, file},
    program_name,
};
use crate::control::{Hook, Program, TrafficControl};

/// Where disciplines that were added are noted.
pub(super) fn marks(run_dir: &Path) -> PathBuf {
    run_dir.join("clsact")
}

/// Removes every pin of an agent, which detaches its programs where links hold them, and unmounts the
/// bpffs if an agent mounted it; returns how many pins there were.
pub fn remove_pins(run_dir: &Path) -> Result<usize, Error> {
    pins::remove_all(run_dir)
}

/// Removes our filters, and the disciplines that were added for them unless others use them; returns
/// how many filters there were.
pub fn remove_filters(run_dir: &Path, traffic: &mut dyn TrafficControl) -> Result<usize, Error> {
    let mut count = 0;
    for ifindex in traffic.devices()? {
        for program in Program::OF_DEVICES {
            let name = program_name(program);
            let hook = Hook { program, ifindex };
            count += clsact::ours(traffic, hook, name)?.len();
            clsact::detach(traffic, name, hook)?;
        }
    }
    let marks = marks(run_dir);
    for ifindex in clsact::marked(&marks)? {
        traffic.remove_unused_discipline(ifindex)?;
    }
    if marks.exists() {
        fs::remove_dir_all(&marks).map_err(file("remove", &marks))?;
    }
    Ok(count)
}
