//! Everything that an agent could leave behind on a host, to be compared before and after.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use aya::programs::{SchedClassifier, TcAttachType};
use overlay_tests::{Host, Namespace, link};

/// What is in a host's namespace and directories.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    links: Vec<String>,
    disciplines: String,
    /// Numbers of the programs on TCX, by interface.
    pub(crate) programs: BTreeMap<String, Vec<u32>>,
    /// Filters at ingress, by interface.
    filters: BTreeMap<String, String>,
    mounts: Vec<String>,
    files: Vec<String>,
}

impl Traces {
    /// Looks at a host's namespace, and at the files and mounts in its directories.
    pub(crate) fn of(host: &Host) -> Result<Self> {
        let namespace = host.namespace();
        let links: Vec<String> = link::list(namespace)?
            .into_iter()
            .map(|link| format!("{} up={}", link.name, link.is_up()))
            .collect();
        let mut programs = BTreeMap::new();
        let mut filters = BTreeMap::new();
        for link in link::list(namespace)? {
            let show = ["filter", "show", "dev", &link.name, "ingress"];
            filters.insert(link.name.clone(), namespace.exec("tc", &show)?);
            programs.insert(link.name.clone(), tcx_programs(namespace, &link.name)?);
            let egress = format!("{} egress", link.name);
            let show = ["filter", "show", "dev", &link.name, "egress"];
            filters.insert(egress.clone(), namespace.exec("tc", &show)?);
            let attached = tcx_programs_at(namespace, &link.name, TcAttachType::Egress)?;
            programs.insert(egress, attached);
        }
        let mut files = Vec::new();
        for directory in [host.run_dir(), host.data_dir()] {
            list(&directory, &mut files)?;
        }
        files.sort();
        Ok(Self {
            links,
            disciplines: namespace.exec("tc", &["qdisc", "show"])?,
            programs,
            filters,
            mounts: mounts_below(&host.run_dir())?,
            files,
        })
    }

    /// The same without directories and locks: who wants to know whether another agent is there has to make them.
    pub(crate) fn without_locks(mut self) -> Self {
        let is_lock = |file: &Path| file.extension().is_some_and(|kind| kind == "lock");
        self.files.retain(|file| {
            let file = Path::new(file);
            !is_lock(file) && !file.is_dir()
        });
        self
    }
}

/// Numbers of the programs at TCX ingress of an interface; none where the kernel has no TCX.
pub(crate) fn tcx_programs(namespace: &Namespace, interface: &str) -> Result<Vec<u32>> {
    tcx_programs_at(namespace, interface, TcAttachType::Ingress)
}

fn tcx_programs_at(
    namespace: &Namespace,
    interface: &str,
    place: TcAttachType,
) -> Result<Vec<u32>> {
    namespace.run(|| match SchedClassifier::query_tcx(interface, place) {
        Ok((_, programs)) => programs
            .iter()
            .map(aya::programs::ProgramInfo::id)
            .collect(),
        Err(_no_tcx) => Vec::new(),
    })
}

fn mounts_below(directory: &Path) -> Result<Vec<String>> {
    let table = fs::read_to_string("/proc/self/mountinfo").context("reading the mount table")?;
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    let below = points.filter(|point| Path::new(point).starts_with(directory));
    Ok(below.map(str::to_owned).collect())
}

fn list(path: &Path, found: &mut Vec<String>) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    found.push(path.display().to_string());
    if path.is_dir() {
        let entries = fs::read_dir(path).with_context(|| format!("listing {}", path.display()))?;
        for entry in entries {
            list(&entry?.path(), found)?;
        }
    }
    Ok(())
}
