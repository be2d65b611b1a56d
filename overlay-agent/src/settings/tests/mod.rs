//! What a configuration becomes, and why one is refused.

mod acceptance;
mod documentation;
mod endpoint_files;
mod refusals;

use std::{error::Error, fmt::Write as _, path::Path};

use super::{Cluster, Settings, SettingsError};
use crate::model::Desired;

/// Two nodes and a network with both families; tests replace parts of it.
const CLUSTER: &str = r#"
node: a
cluster:
  mode: static
  nodes:
    - name: a
      address: 192.0.2.1
      blocks: {blue: [10.1.0.0/26, "fd00:1::/120"]}
    - name: b
      address: 192.0.2.2
      blocks: {blue: [10.1.0.64/26]}
      endpoints: [{network: blue, address: 10.1.0.200, mac: "02:42:0a:01:00:c8"}]
  networks:
    - {name: blue, vni: 4096, subnets: [10.1.0.0/24, "fd00:1::/64"]}
"#;

fn parse(text: &str) -> Result<Settings, SettingsError> {
    Settings::parse(text, Path::new("agent.yaml"), "/data", "/run")
}

/// The cluster of a file that has it all.
fn desired(settings: &Settings) -> &Desired {
    match &settings.cluster {
        Cluster::Static(desired) => desired,
        Cluster::Swarm(swarm) => panic!("{swarm:?}"),
    }
}

/// The whole chain of an error, as the agent prints it.
fn told(error: &SettingsError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        write!(text, ": {source}").unwrap();
        cause = source.source();
    }
    text
}

/// `CLUSTER` with one part replaced.
fn with(part: &str, replacement: &str) -> String {
    assert!(CLUSTER.contains(part), "{part} is not in the example");
    CLUSTER.replacen(part, replacement, 1)
}
