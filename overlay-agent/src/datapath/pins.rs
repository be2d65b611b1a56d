//! Where programs, maps and links live while no process holds them.
//!
//! ```text
//! <run-dir>/bpf                       a bpffs
//! ├── links/<program>-<ifindex>       what keeps a program attached (TCX)
//! └── v<abi>-<hash of definitions>    one generation of maps, and the programs that use them
//!     ├── maps/<name>
//!     └── programs/<name>
//! ```
//!
//! Links stand beside the generations: a new generation's program replaces the old one in the same
//! link, so that no packet meets neither or both.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use aya::maps::MapInfo;
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};
use tracing::{info, warn};

use super::{
    Capacity, Error,
    spec::{self, generation},
};
use crate::control::{Hook, Program};

/// The bpffs, below the run directory.
const MOUNT: &str = "bpf";

/// Links, below the bpffs.
const LINKS: &str = "links";

/// Says that the agent mounted the bpffs and so has to unmount it in the end.
const MOUNTED_BY_US: &str = "bpf.mounted";

/// The pins of one agent.
#[derive(Clone, Debug)]
pub struct Pins {
    root: PathBuf,
    generation: PathBuf,
}

impl Pins {
    /// Finds or mounts the bpffs and makes the directories of the generation that fits. Maps in it
    /// that are not what this version expects are thrown away.
    pub fn prepare(run_dir: &Path, capacity: &Capacity) -> Result<Self, Error> {
        let root = run_dir.join(MOUNT);
        ensure_mounted(run_dir, &root)?;
        let pins = Self {
            generation: root.join(generation(capacity)),
            root,
        };
        for directory in [pins.links(), pins.maps(), pins.programs()] {
            fs::create_dir_all(&directory).map_err(file("make", &directory))?;
        }
        pins.drop_misfits(capacity)?;
        Ok(pins)
    }

    /// The directory of maps.
    pub(super) fn maps(&self) -> PathBuf {
        self.generation.join("maps")
    }

    /// Where a map is pinned.
    pub(super) fn map(&self, name: &str) -> PathBuf {
        self.maps().join(name)
    }

    /// Where a program is pinned.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs().join(name)
    }

    /// Where a link is pinned.
    pub(super) fn link(&self, hook: Hook) -> PathBuf {
        self.links().join(link_name(hook))
    }

    /// Every link that is pinned.
    pub(super) fn pinned_links(&self) -> Result<Vec<Hook>, Error> {
        let directory = self.links();
        let names = names_in(&directory).map_err(file("list", &directory))?;
        Ok(names
            .iter()
            .filter_map(|name| parse_link_name(name))
            .collect())
    }

    /// The generation's name.
    pub fn generation(&self) -> String {
        let name = self.generation.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Removes the maps and programs of every other generation.
    pub fn drop_other_generations(&self) -> Result<(), Error> {
        for name in names_in(&self.root).map_err(file("list", &self.root))? {
            let path = self.root.join(&name);
            if spec::is_generation(&name) && path != self.generation {
                info!(generation = %name.display(), "removing maps of another version or size");
                fs::remove_dir_all(&path).map_err(file("remove", &path))?;
            }
        }
        Ok(())
    }

    fn links(&self) -> PathBuf {
        self.root.join(LINKS)
    }

    fn programs(&self) -> PathBuf {
        self.generation.join("programs")
    }

    /// A pin of the right name may still be somebody's own experiment.
    fn drop_misfits(&self, capacity: &Capacity) -> Result<(), Error> {
        for map in spec::maps(capacity) {
            let path = self.map(map.name);
            if !path.exists() {
                continue;
            }
            let checked = MapInfo::from_pin(&path)
                .map_err(|source| Error::Map {
                    operation: "open",
                    map: map.name,
                    source,
                })
                .and_then(|info| map.check(&info));
            if let Err(error) = checked {
                let error: &dyn std::error::Error = &error;
                warn!(
                    error,
                    "a pinned map is not what it should be; starting with an empty one"
                );
                fs::remove_file(&path).map_err(file("remove", &path))?;
            }
        }
        Ok(())
    }
}

/// Whether the run directory has a bpffs of an agent.
pub fn is_mounted(run_dir: &Path) -> bool {
    is_bpffs(&run_dir.join(MOUNT))
}

/// Removes every pin of an agent, which detaches its programs where links hold them, and unmounts
/// the bpffs if an agent mounted it; returns how many pins there were.
pub(super) fn remove_all(run_dir: &Path) -> Result<usize, Error> {
    let root = run_dir.join(MOUNT);
    let mut count = 0;
    if is_bpffs(&root) {
        let names = names_in(&root).map_err(file("list", &root))?;
        // The kernel may have put files of its own there.
        for name in names
            .iter()
            .filter(|name| *name == LINKS || spec::is_generation(name))
        {
            let path = root.join(name);
            count += files_below(&path).map_err(file("list", &path))?;
            fs::remove_dir_all(&path).map_err(file("remove", &path))?;
        }
    }
    let mark = run_dir.join(MOUNTED_BY_US);
    if mark.exists() {
        if is_bpffs(&root) {
            umount2(&root, MntFlags::MNT_DETACH)
                .map_err(|errno| file("unmount", &root)(errno.into()))?;
        }
        fs::remove_file(&mark).map_err(file("remove", &mark))?;
        match fs::remove_dir(&root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(file("remove", &root)(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(count)
}

fn ensure_mounted(run_dir: &Path, root: &Path) -> Result<(), Error> {
    if is_bpffs(root) {
        return Ok(());
    }
    fs::create_dir_all(root).map_err(file("make", root))?;
    let mark = run_dir.join(MOUNTED_BY_US);
    fs::write(&mark, "").map_err(file("write", &mark))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("bpf"), root, Some("bpf"), flags, Some("mode=0700"))
        .map_err(|errno| file("mount a bpffs on", root)(errno.into()))
}

fn is_bpffs(path: &Path) -> bool {
    statfs(path).is_ok_and(|filesystem| filesystem.filesystem_type() == BPF_FS_MAGIC)
}

fn names_in(directory: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    fs::read_dir(directory)?
        .map(|entry| Ok(entry?.file_name()))
        .collect()
}

fn files_below(path: &Path) -> io::Result<usize> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return Ok(1);
    }
    let mut count = 0;
    for name in names_in(path)? {
        count += files_below(&path.join(name))?;
    }
    Ok(count)
}

fn link_name(hook: Hook) -> String {
    format!("{}-{}", super::program_name(hook.program), hook.ifindex)
}

fn parse_link_name(name: &OsStr) -> Option<Hook> {
    let (program, ifindex) = name.to_str()?.rsplit_once('-')?;
    Some(Hook {
        program: Program::all().find(|known| super::program_name(*known) == program)?,
        ifindex: ifindex.parse().ok()?,
    })
}

/// The error of an operation on a file.
pub(super) fn file(
    operation: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::File {
        operation,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_named_after_their_hooks() {
        let hook = Hook {
            program: Program::FromUnderlay,
            ifindex: 42,
        };

        assert_eq!(link_name(hook), "from_underlay-42");
        assert_eq!(parse_link_name(OsStr::new("from_underlay-42")), Some(hook));
        assert_eq!(parse_link_name(OsStr::new("from_underlay-")), None);
        assert_eq!(parse_link_name(OsStr::new("other-42")), None);
    }
}
