//! The control groups that engines make and leave behind.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};

/// How often, and how far apart, to try to remove a group whose processes are dying.
const ATTEMPTS: u32 = 60;
const PAUSE: Duration = Duration::from_millis(50);

const MOUNTS: &str = "/sys/fs/cgroup";

/// A parent for all control groups of our containers, in every hierarchy; removed on drop.
#[derive(Debug)]
pub(super) struct Cgroup {
    name: &'static str,
}

impl Cgroup {
    /// Claims the parent `name`, removing what an earlier run left below it.
    pub(super) fn new(name: &'static str) -> Result<Self> {
        let cgroup = Self { name };
        cgroup.remove()?;
        Ok(cgroup)
    }

    /// As the engine's option takes it.
    pub(super) fn parent(&self) -> String {
        format!("/{}", self.name)
    }

    fn remove(&self) -> Result<()> {
        // One hierarchy with version 2, one for each controller with version 1.
        let mut places = vec![PathBuf::from(MOUNTS)];
        places.extend(directories(Path::new(MOUNTS))?);
        for place in places {
            let group = place.join(self.name);
            if group.is_dir() {
                remove_groups(&group).with_context(|| format!("removing {}", group.display()))?;
            }
        }
        Ok(())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            eprintln!("removing the control groups of Docker's containers: {error:#}");
        }
    }
}

/// A control group's files go with it and cannot be removed one by one.
fn remove_groups(group: &Path) -> Result<()> {
    for child in directories(group)? {
        remove_groups(&child)?;
    }
    for _ in 0..ATTEMPTS {
        match fs::remove_dir(group) {
            // Its processes have been killed, but are not gone yet.
            Err(error) if error.kind() == ErrorKind::ResourceBusy => thread::sleep(PAUSE),
            result => return Ok(result?),
        }
    }
    Ok(fs::remove_dir(group)?)
}

fn directories(parent: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(parent).with_context(|| format!("listing {}", parent.display()))? {
        let entry = entry.with_context(|| format!("listing {}", parent.display()))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}
