//! Puts very many services into the tables of a data plane that nobody uses, and tells what that takes:
//! `services RUN-DIR SERVICES TASKS`, as root, in a network namespace where no agent runs.
//!
//! Planning and writing are the agent's own; only what it would hear from managers and other nodes is made up.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use overlay_agent::{
    agent::DatapathAlone,
    control::{Balancer, Change, Datapath as _, Row, Tables, changes},
    datapath::remove_pins,
    model::{Balanced, PeerId, Place, ServiceChange, ServiceId, Task, Vni},
    settings::Settings,
};
use serde_json::json;

/// Nodes that the tasks are on.
const NODES: u32 = 5;

/// No backend may have a lower number.
const FIRST_BACKEND: u32 = 1;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [run_dir, services, tasks] = arguments.as_slice() else {
        bail!("services RUN-DIR SERVICES TASKS");
    };
    let run_dir = Path::new(run_dir);
    let services: u32 = services.parse().context("reading the number of services")?;
    let tasks: u32 = tasks.parse().context("reading the number of tasks")?;
    ensure!(
        services < 1 << 16 && (1..=16).contains(&tasks),
        "up to 65535 services of 1 to 16 tasks"
    );
    let told = measure(run_dir, services, tasks);
    remove_pins(run_dir).context("taking the tables away")?;
    writeln!(io::stdout(), "{}", told?).context("printing the figures")
}

fn measure(run_dir: &Path, services: u32, tasks: u32) -> Result<serde_json::Value> {
    let settings = settings(run_dir, services, tasks)?;
    let slots = settings.limits.slots;
    let mut alone = DatapathAlone::load(settings).context("loading the programs")?;
    let empty = Tables::default();
    let wishes = (0..services).map(|number| Ok((id(number), Some(wish(number, tasks)?))));
    let wishes: Vec<ServiceChange> = wishes.collect::<Result<_>>()?;
    let peers: BTreeMap<IpAddr, PeerId> = (0..NODES)
        .map(|node| (address(0xc000_0200, node), PeerId(node + 1)))
        .collect();
    let mut balancer = Balancer::new(slots, FIRST_BACKEND);
    balancer.adopt(&empty);

    let begun = Instant::now();
    balancer.want(&wishes);
    let placing = balancer.place_all(&peers);
    ensure!(!placing.is_crowded, "{slots} slots are too few");
    let desired = Tables::default().with_rows(placing.rows);
    let planned = begun.elapsed();

    let begun = Instant::now();
    let mut entries = 0_u64;
    for change in changes(&empty, &desired) {
        write(&mut alone, &change)?;
        entries += 1;
    }
    let written = begun.elapsed();
    balancer.settle();

    let one = services / 2;
    let begun = Instant::now();
    balancer.want(&[(id(one), Some(wish(one, tasks - 1)?))]);
    let placing = balancer.place_one(id(one), &peers);
    let is_new = |row: &Row| desired.get(&row.key()).as_ref() != Some(row);
    let puts = placing.rows.into_iter().filter(is_new).map(Change::Put);
    let changed: Vec<Change> = puts
        .chain(placing.gone.into_iter().map(Change::Remove))
        .collect();
    for change in &changed {
        write(&mut alone, change)?;
    }
    let one_less = begun.elapsed();

    let uses = alone.uses().context("looking at the tables")?;
    let maps: BTreeMap<&str, u64> = uses.iter().map(|map| (map.name, map.bytes)).collect();
    Ok(json!({
        "entries": entries,
        "planned_ms": milliseconds(planned),
        "written_ms": milliseconds(written),
        "changed_entries": changed.len(),
        "changed_ms": milliseconds(one_less),
        "rss_bytes": resident()?,
        "map_bytes": maps,
    }))
}

fn settings(run_dir: &Path, services: u32, tasks: u32) -> Result<Settings> {
    let backends = (services * tasks).max(1);
    let text = format!(
        "node: alone\ndatapath: {{limits: {{vips: {}, backends: {backends}, slots: 16777216}}}}\n",
        services.max(1)
    );
    let from = Path::new("(made up)");
    Settings::parse(&text, from, run_dir.join("data"), run_dir).context("sizing the tables")
}

fn id(number: u32) -> ServiceId {
    ServiceId::from_random(u128::from(number) + 1)
}

/// A service with one address and tasks on all nodes.
fn wish(number: u32, tasks: u32) -> Result<Balanced> {
    let vni = Vni::try_from(4096).context("numbering the network")?;
    let place = |address| Place { vni, address };
    let task = |task: u32| {
        let lives_at = Task {
            node: Some(address(0xc000_0200, task % NODES)),
            life: 1,
            is_open: true,
        };
        (place(address(0x0b00_0000, number * 16 + task)), lives_at)
    };
    Ok(Balanced {
        vips: BTreeSet::from([place(address(0x0a00_0000, number))]),
        tasks: (0..tasks).map(task).collect(),
        ..Balanced::default()
    })
}

fn address(base: u32, number: u32) -> IpAddr {
    Ipv4Addr::from(base + number + 1).into()
}

fn write(alone: &mut DatapathAlone, change: &Change) -> Result<()> {
    let written = match change {
        Change::Put(row) => alone.datapath.put(row),
        Change::Remove(key) => alone.datapath.remove(key),
    };
    written.context("filling the tables")
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Memory of this process, bytes.
fn resident() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("reading the memory in use")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: u64 = kibibytes
        .context("the memory in use is not in /proc")?
        .trim()
        .parse()
        .context("reading the memory in use")?;
    Ok(kibibytes * 1024)
}
