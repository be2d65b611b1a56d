//! From a configuration to a data plane that works: everything that has to be done before the first
//! request. Blocking.

use std::{fs, net::IpAddr, path::Path, sync::Arc, time::Instant};

use tokio::sync::mpsc;
use tracing::{info, warn};

use super::{
    Error,
    directory::Directory,
    neighbour_limit,
    owner::{KernelReconciler, Owner},
    plumbing::KernelPlumbing,
    shared::{Shared, capacity},
    sockets::{Gone, SocketsEnd},
    store::Store,
    swarm::News,
    traffic::KernelTraffic,
    underlay::KernelUnderlay,
};
use crate::{
    control::{
        Balancer, HostEnd, Plumbing as _, PortError, Ports, Reconciler, Sockets, planner::Plan,
    },
    datapath::{
        DatapathConfig, Features, KernelDatapath, Pins, is_mounted, remove_filters, remove_pins,
    },
    model::{Attachment, Desired, FIRST_LOCAL_NUMBER, TransitPools},
    netlink::Namespace,
    settings::Settings,
};

const UPTIME: &str = "/proc/uptime";

const LOCAL_PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// What the kernel uses when nobody set anything.
const USUAL_LOCAL_PORTS: (u16, u16) = (32_768, 60_999);

/// Whom a data plane tells what.
#[derive(Debug)]
pub(super) struct Senders {
    /// Which endpoints come and go.
    pub(super) changes: mpsc::UnboundedSender<News>,
    /// Which tasks are gone.
    pub(super) gone: mpsc::UnboundedSender<Gone>,
}

/// Takes over what an earlier agent left, or begins from nothing. Traffic that flows goes on: tables
/// are compared, not emptied, and programs are replaced in place. A first start that fails takes away
/// what it made.
pub(super) fn start(settings: Settings, plan: Plan, senders: Senders) -> Result<Owner, Error> {
    require_root()?;
    neighbour_limit::raise();
    let mut plumbing = KernelPlumbing::open(settings.port, &settings.run_dir)?;
    if let Some(pools) = settings.outside.in_use() {
        plumbing.let_out(pools);
    }
    let is_first = !plumbing.has_tunnel()? && !is_mounted(&settings.run_dir);
    let run_dir = settings.run_dir.clone();
    take_over(settings, plan, plumbing, senders).inspect_err(|_| {
        if is_first && let Err(error) = undo(&run_dir) {
            let error: &dyn std::error::Error = &error;
            warn!(
                error,
                "a part of what was made is left; `overlay-agent uninstall` removes it"
            );
        }
    })
}

/// What an agent does takes root.
pub(super) fn require_root() -> Result<(), Error> {
    if nix::unistd::geteuid().is_root() {
        Ok(())
    } else {
        Err(Error::NotRoot)
    }
}

fn take_over(
    settings: Settings,
    plan: Plan,
    mut plumbing: KernelPlumbing,
    senders: Senders,
) -> Result<Owner, Error> {
    let features = Features::probe(settings.attach)?;
    for missing in &features.missing {
        warn!(
            feature = missing.feature,
            costs = missing.costs,
            "missing in this kernel"
        );
    }
    let store = Store::open(&settings.data_dir)?;
    let (tunnel, _) = plumbing.tunnel()?;
    let pins = Pins::prepare(&settings.run_dir, &capacity(&settings))?;

    let desired = Arc::new(plan.desired);
    let config = datapath_config(&settings, desired.this, &features, tunnel);
    let traffic = KernelTraffic::open()?;
    let mode = features.attach;
    let datapath = KernelDatapath::load(pins.clone(), config, mode, traffic, &settings.run_dir)?;
    let sockets = Sockets {
        are_balanced: config.sockets.is_some(),
        host: own_cookie(),
    };
    let pools = settings.outside.in_use().unwrap_or_default();
    let directory = restore(&store, &mut plumbing, &desired, pools)?;

    let underlay = KernelUnderlay::open()?;
    let ports = Ports {
        datapath,
        underlay,
        plumbing,
    };
    let mut reconciler: KernelReconciler =
        Reconciler::new(ports, Arc::clone(&desired), settings.encap, tunnel)
            .with_balancer(Balancer::new(settings.limits.slots, first_backend()))
            .with_transit_pools(pools)
            .with_sockets(sockets);
    reconciler.balance(&plan.services)?;
    let started = Instant::now();
    let written = reconciler.follow(Arc::clone(&desired), plan.exact, directory.iter())?;
    let programmed = started.elapsed();
    info!(changes = written, took = ?programmed, endpoints = directory.len(), "the data plane is in line");

    remove_strangers(&mut reconciler, &directory)?;
    let leftovers = reconciler.datapath().drop_other_mode();
    if let Err(error) = leftovers.and_then(|()| pins.drop_other_generations()) {
        let error: &dyn std::error::Error = &error;
        warn!(error, "something of an earlier agent is left");
    }

    let shared = Arc::new(Shared::new(settings, desired, features, pins));
    *shared.directory_mut() = directory;
    shared.summary_mut().programmed = programmed;
    let mut owner = Owner {
        reconciler,
        store,
        shared,
        backend_end: Box::new(SocketsEnd::new(senders.gone)),
        changes: senders.changes,
    };
    owner.end_flows();
    owner.publish();
    Ok(owner)
}

/// No backend gets a lower number than the time since boot in 64ths of a second, so that a number that an
/// earlier agent gave away, and that flows may remember, is not given again: nobody starts 64 tasks a
/// second for long. It lasts for a year.
fn first_backend() -> u32 {
    let uptime = fs::read_to_string(UPTIME).unwrap_or_default();
    let whole = uptime
        .split('.')
        .next()
        .and_then(|text| text.parse::<u32>().ok());
    let ticks = whole.unwrap_or_default().wrapping_mul(64);
    (ticks % FIRST_LOCAL_NUMBER).max(1)
}

/// Takes programs, maps and the vxlan device away; endpoints are gone before.
pub(super) fn undo(run_dir: &Path) -> Result<(), Error> {
    remove_filters(run_dir, &mut *KernelTraffic::open()?)?;
    remove_pins(run_dir)?;
    // The port does not matter: nothing is made.
    let mut plumbing = KernelPlumbing::open(0, run_dir)?;
    plumbing.remove_gateway()?;
    plumbing.remove_tunnel()?;
    Ok(())
}

pub(super) fn datapath_config(
    settings: &Settings,
    address: IpAddr,
    features: &Features,
    tunnel: u32,
) -> DatapathConfig {
    DatapathConfig {
        address,
        tunnel_ifindex: tunnel,
        port: settings.port,
        source_ports: local_ports(),
        event_sample: settings.event_sample,
        decap_l3: features.decap_l3,
        mark: settings.encryption.mark,
        sockets: features.sockets.filter(|_| settings.services.socket_lb),
        packet_lb: settings.services.packet_lb,
        capacity: capacity(settings),
    }
}

/// The ports that this namespace gives to outgoing connections, which is where the kernel takes
/// VXLAN's source ports from as well.
pub(super) fn local_ports() -> (u16, u16) {
    let text = fs::read_to_string(LOCAL_PORTS).unwrap_or_default();
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) if first <= last => (first, last),
        _ => USUAL_LOCAL_PORTS,
    }
}

/// The endpoints of an earlier agent that still have their interfaces. One that had no way out gets a place in the
/// pools.
fn restore(
    store: &Store,
    plumbing: &mut KernelPlumbing,
    desired: &Desired,
    pools: TransitPools,
) -> Result<Directory, Error> {
    let ends = plumbing.host_ends()?;
    let mut directory = Directory::default();
    for mut attachment in store.load()? {
        // A file may say something else than it did.
        if desired.network_by_vni(attachment.vni).is_some() {
            attachment.encrypted = desired.encrypted.contains(&attachment.vni);
        }
        if ends.iter().any(|end| is_of(end, &attachment)) {
            directory.insert(with_cookie(attachment, store)?);
        } else {
            info!(
                endpoint = attachment.name,
                network = attachment.network,
                "gone meanwhile"
            );
            store.remove(&attachment.id)?;
        }
    }
    let without: Vec<Attachment> = directory
        .iter()
        .filter(|attachment| attachment.transit.is_none())
        .cloned()
        .collect();
    for mut attachment in without {
        attachment.transit = directory.free_transit(pools);
        if attachment.transit.is_some() {
            store.save(&attachment)?;
            directory.insert(attachment);
        }
    }
    Ok(directory)
}

/// An agent that knew no cookies may have kept it.
fn with_cookie(attachment: Attachment, store: &Store) -> Result<Attachment, Error> {
    if attachment.cookie.is_some() {
        return Ok(attachment);
    }
    let namespace = Namespace::open(&attachment.netns);
    let same = namespace.ok().filter(|it| it.id() == attachment.namespace);
    let Some(cookie) = same.and_then(|namespace| namespace.cookie().ok()) else {
        return Ok(attachment);
    };
    let attachment = Attachment {
        cookie: Some(cookie),
        ..attachment
    };
    store.save(&attachment)?;
    Ok(attachment)
}

/// By what the programs at sockets know the agent's own namespace; nothing on kernels where there are none.
fn own_cookie() -> Option<u64> {
    Namespace::current().ok()?.cookie().ok()
}

fn is_of(end: &HostEnd, attachment: &Attachment) -> bool {
    end.ifindex == attachment.host_ifindex && end.name == attachment.host_interface
}

/// Removes host ends of endpoints that an agent did not finish.
fn remove_strangers(
    reconciler: &mut KernelReconciler,
    directory: &Directory,
) -> Result<(), PortError> {
    let plumbing = reconciler.plumbing();
    for end in plumbing.host_ends()? {
        if directory.behind(end.ifindex).is_none() {
            warn!(
                interface = end.name,
                "removing the interface of an unfinished endpoint"
            );
            plumbing.remove(&end.name, end.ifindex)?;
        }
    }
    Ok(())
}
