//! From a file to checked settings.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf, absolute},
};

use super::{
    Cluster, DEFAULT_FILE, Settings, SettingsError, datapath, dns, encryption,
    endpoint::{self, EndpointFile},
    network, node, outside,
    problem::{Place, Problem, Refusal, names},
    services, swarm, typed,
};
use crate::model::{Desired, Node};

impl Settings {
    /// Reads and checks a configuration: `config`, or [`DEFAULT_FILE`]. Without either the agent waits
    /// to become part of a swarm.
    ///
    /// # Errors
    /// The first thing that is wrong, with its key or line and the way out.
    pub fn load(
        config: Option<&Path>,
        data_dir: impl Into<PathBuf>,
        run_dir: impl Into<PathBuf>,
    ) -> Result<Self, SettingsError> {
        let path = config.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(source) if config.is_none() && source.kind() == io::ErrorKind::NotFound => {
                String::new()
            }
            Err(source) => {
                let path = path.to_owned();
                return Err(SettingsError::Read { path, source });
            }
        };
        Self::parse(&text, path, data_dir, run_dir)
    }

    /// Checks the text of a configuration. `path` is told in errors, and files of endpoints are
    /// looked for beside it.
    ///
    /// # Errors
    /// As for [`Settings::load`].
    pub fn parse(
        text: &str,
        path: &Path,
        data_dir: impl Into<PathBuf>,
        run_dir: impl Into<PathBuf>,
    ) -> Result<Self, SettingsError> {
        let typed: Option<typed::File> = serde_yaml::from_str(text).map_err(|source| {
            let path = path.to_owned();
            SettingsError::Syntax { path, source }
        })?;
        let typed = typed.unwrap_or_default();
        let node = match &typed.node {
            Some(node) => node.clone(),
            None => host_name()?,
        };
        let nodes = typed.cluster.nodes.as_deref().unwrap_or_default();
        let files = read_endpoint_files(nodes, path)?;
        let directories = [
            make_absolute(data_dir.into())?,
            make_absolute(run_dir.into())?,
        ];
        check(typed, node, &files, directories).map_err(|refusal| refused(refusal, path))
    }
}

fn host_name() -> Result<String, SettingsError> {
    let name = nix::unistd::gethostname();
    let name = name.map_err(|source| SettingsError::HostName { source })?;
    Ok(name.to_string_lossy().into_owned())
}

fn make_absolute(path: PathBuf) -> Result<PathBuf, SettingsError> {
    absolute(&path).map_err(|source| SettingsError::Directory { path, source })
}

fn read_endpoint_files(
    nodes: &[typed::Node],
    config: &Path,
) -> Result<Vec<EndpointFile>, SettingsError> {
    let beside = config.parent().unwrap_or(Path::new(""));
    let mut files = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let Some(named) = &node.endpoints_from else {
            continue;
        };
        let path = beside.join(named);
        match fs::read_to_string(&path) {
            Ok(text) => files.push(EndpointFile {
                node: index,
                path,
                text,
            }),
            Err(source) => {
                let node = node.name.clone();
                return Err(SettingsError::ReadEndpoints { node, path, source });
            }
        }
    }
    Ok(files)
}

fn refused(refusal: Refusal, path: &Path) -> SettingsError {
    let source = refusal.problem;
    match refusal.place {
        Place::Key(key) => SettingsError::Refused {
            path: path.to_owned(),
            key,
            source,
        },
        Place::Line { path, line } => SettingsError::RefusedLine { path, line, source },
    }
}

fn check(
    typed: typed::File,
    node: String,
    files: &[EndpointFile],
    [data_dir, run_dir]: [PathBuf; 2],
) -> Result<Settings, Refusal> {
    let port = datapath::port(typed.datapath.port)?;
    let event_sample = datapath::event_sample(typed.events.sample)?;
    let audit_interval = datapath::audit_interval(typed.audit_interval)?;
    let outside = outside::check(&typed.outside)?;
    let encryption = encryption::check(&typed.encryption)?;
    encryption::check_keys(&typed.cluster, encryption.keys)?;
    let dns = dns::check(&typed.dns)?;
    let cluster = match typed.cluster.mode {
        typed::Mode::Static => Cluster::Static(desired(typed.cluster, &node, files)?),
        typed::Mode::Swarm => Cluster::Swarm(swarm::check(&typed.cluster, &node)?),
    };
    let needed = match &cluster {
        Cluster::Static(desired) => datapath::Needed::by(desired),
        Cluster::Swarm(_) => datapath::Needed::default(),
    };
    Ok(Settings {
        limits: datapath::limits(&typed.datapath.limits, needed)?,
        encap: typed.datapath.encap,
        attach: typed.datapath.attach,
        node,
        cluster,
        port,
        event_sample,
        services: services::check(typed.services)?,
        audit_interval,
        outside,
        encryption,
        dns,
        data_dir,
        run_dir,
    })
}

fn desired(
    cluster: typed::Cluster,
    this: &str,
    files: &[EndpointFile],
) -> Result<Desired, Refusal> {
    swarm::refuse_keys(&cluster)?;
    let Some(typed_nodes) = cluster.nodes else {
        return Err(Problem::NoNodes.at_key("cluster.nodes"));
    };
    let node::Addresses {
        addresses,
        overhead,
    } = node::addresses(&typed_nodes)?;
    let this_at = typed_nodes.iter().position(|node| node.name == this);
    let Some(this_at) = this_at else {
        let known = names(typed_nodes.iter().map(|node| node.name.as_str()));
        let name = this.to_owned();
        return Err(Problem::NotANode { name, known }.at_key("node"));
    };
    let this = addresses[this_at];
    let typed_networks = cluster.networks.unwrap_or_default();
    let networks = network::check_all(&typed_networks, overhead)?;
    let which = |is: fn(&typed::Network) -> bool| {
        let typed = typed_networks.iter().filter(|network| is(network));
        let vnis = typed.filter_map(|typed| {
            let mut networks = networks.iter();
            networks.find(|network| network.name == typed.name)
        });
        vnis.map(|network| network.vni).collect()
    };
    let internal = which(|network| network.internal);
    let encrypted = which(|network| network.encrypted);
    let by_name: BTreeMap<_, _> = networks
        .iter()
        .map(|network| (network.name.as_str(), network))
        .collect();
    let blocks = node::blocks(&typed_nodes, &by_name)?;
    let endpoints = endpoint::check_all(&typed_nodes, files, &by_name)?;
    let parts = addresses.into_iter().zip(blocks).zip(endpoints);
    let mut nodes: Vec<Node> = typed_nodes
        .into_iter()
        .zip(parts)
        .map(|(typed, ((address, blocks), endpoints))| Node {
            name: typed.name,
            address,
            blocks,
            endpoints,
        })
        .collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Desired {
        ingress: None,
        this,
        nodes,
        networks,
        internal,
        encrypted,
    })
}
