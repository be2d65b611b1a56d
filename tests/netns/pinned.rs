//! What an agent pinned, seen from outside with bpftool.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use overlay_tests::{Host, process};
use serde::{Deserialize, de::DeserializeOwned};

/// The maps whose entries the agent writes.
pub(crate) const TABLES: [&str; 7] = [
    "ENDPOINT",
    "INTERFACE",
    "ROUTE",
    "BLOCK",
    "PEER",
    "PEER_BY_ADDR",
    "NETWORK",
];

/// The programs, by the names of their pins.
pub(crate) const PROGRAMS: [&str; 4] = [
    "from_container",
    "from_underlay",
    "from_tunnel",
    "from_host",
];

/// The bpffs of one agent.
#[derive(Clone, Debug)]
pub(crate) struct Pinned {
    root: PathBuf,
}

/// One entry of a map, as bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Numbers that the kernel gave to objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) programs: Vec<u32>,
    pub(crate) maps: Vec<u32>,
}

impl Pinned {
    pub(crate) fn of(host: &Host) -> Self {
        Self {
            root: host.run_dir().join("bpf"),
        }
    }

    /// The directories of all generations of maps, by name.
    pub(crate) fn generations(&self) -> Result<Vec<String>> {
        let mut names = names(&self.root)?;
        names.retain(|name| name.starts_with('v'));
        Ok(names)
    }

    /// Where a map is pinned.
    pub(crate) fn map(&self, name: &str) -> Result<PathBuf> {
        Ok(self.generation()?.join("maps").join(name))
    }

    /// The pins of the links of a program, one for each device.
    pub(crate) fn links(&self, program: &str) -> Result<Vec<PathBuf>> {
        let directory = self.root.join("links");
        let mut names = names(&directory)?;
        names.retain(|name| name.starts_with(program));
        Ok(names.iter().map(|name| directory.join(name)).collect())
    }

    /// Every entry of a map, sorted.
    pub(crate) fn entries(&self, map: &str) -> Result<Vec<Entry>> {
        #[derive(Deserialize)]
        struct Dumped {
            key: Vec<String>,
            value: Vec<String>,
        }
        let path = self.map(map)?;
        let dumped: Vec<Dumped> = ask(&["map", "dump", "pinned"], &path)?;
        let mut entries = Vec::new();
        for Dumped { key, value } in dumped {
            entries.push(Entry {
                key: bytes(&key)?,
                value: bytes(&value)?,
            });
        }
        entries.sort();
        Ok(entries)
    }

    /// Removes an entry.
    pub(crate) fn delete(&self, map: &str, key: &[u8]) -> Result<()> {
        let path = self.map(map)?;
        let mut command = bpftool(&["map", "delete", "pinned"], &path);
        process::run(command.args(["key", "hex"]).args(hex(key))).map(drop)
    }

    /// Adds an entry or overwrites it.
    pub(crate) fn put(&self, map: &str, entry: &Entry) -> Result<()> {
        let path = self.map(map)?;
        let mut command = bpftool(&["map", "update", "pinned"], &path);
        command.args(["key", "hex"]).args(hex(&entry.key));
        command.args(["value", "hex"]).args(hex(&entry.value));
        process::run(&mut command).map(drop)
    }

    /// The programs and maps of the agent, pinned or used by what is pinned.
    pub(crate) fn ids(&self) -> Result<Ids> {
        #[derive(Deserialize)]
        struct Program {
            id: u32,
            #[serde(default)]
            map_ids: Vec<u32>,
        }
        let mut ids = Ids::default();
        for name in PROGRAMS {
            let path = self.generation()?.join("programs").join(name);
            let program: Program = ask(&["prog", "show", "pinned"], &path)?;
            ids.programs.push(program.id);
            ids.maps.extend(program.map_ids);
        }
        ids.maps.sort_unstable();
        ids.maps.dedup();
        ensure!(ids.maps.len() > TABLES.len(), "too few maps: {ids:?}");
        Ok(ids)
    }

    fn generation(&self) -> Result<PathBuf> {
        match self.generations()?.as_slice() {
            [name] => Ok(self.root.join(name)),
            names => bail!(
                "{} has not one generation, but {names:?}",
                self.root.display()
            ),
        }
    }
}

impl Ids {
    /// Those that the kernel still has.
    pub(crate) fn alive(&self) -> Result<Self> {
        #[derive(Deserialize)]
        struct Object {
            id: u32,
        }
        let alive = |kind: &str, ours: &[u32]| -> Result<Vec<u32>> {
            let printed = process::run(Command::new("bpftool").args(["-j", kind, "show"]))?;
            let all: Vec<Object> =
                serde_json::from_str(&printed).context("reading bpftool's list")?;
            Ok(all
                .iter()
                .map(|object| object.id)
                .filter(|id| ours.contains(id))
                .collect())
        };
        Ok(Self {
            programs: alive("prog", &self.programs)?,
            maps: alive("map", &self.maps)?,
        })
    }
}

/// Detaches a link from its device; the link stays pinned.
pub(crate) fn detach_link(pin: &Path) -> Result<()> {
    process::run(&mut bpftool(&["link", "detach", "pinned"], pin)).map(drop)
}

fn ask<T: DeserializeOwned>(what: &[&str], path: &Path) -> Result<T> {
    let mut command = bpftool(what, path);
    let printed = process::run(command.arg("-j"))?;
    serde_json::from_str(&printed).with_context(|| format!("reading the answer to {command:?}"))
}

fn bpftool(what: &[&str], path: &Path) -> Command {
    let mut command = Command::new("bpftool");
    command.args(what).arg(path);
    command
}

fn hex(bytes: &[u8]) -> Vec<String> {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(texts: &[String]) -> Result<Vec<u8>> {
    let byte = |text: &String| u8::from_str_radix(text.trim_start_matches("0x"), 16);
    let bytes: Result<Vec<u8>, _> = texts.iter().map(byte).collect();
    bytes.with_context(|| format!("bpftool printed {texts:?} for bytes"))
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let list = || -> std::io::Result<Vec<String>> {
        fs::read_dir(directory)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    };
    let mut names = list().with_context(|| format!("listing {}", directory.display()))?;
    names.sort();
    Ok(names)
}
