//! Why a configuration was not taken.

use std::{io, path::PathBuf};

use super::Problem;

/// No settings; nothing was changed anywhere.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is no YAML, or has keys that do not exist or values of the wrong kind.
    #[error("{} is not understood (docs/configuration.md has every key)", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_yaml::Error,
    },
    /// `node` is not given and the host's name cannot be asked for.
    #[error("ask for the host name; or set `node:` in the configuration")]
    HostName {
        /// Why.
        #[source]
        source: nix::Error,
    },
    /// A value cannot be used.
    #[error("{}: {key}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The key, like `cluster.networks[blue].vni`.
        key: String,
        /// What is wrong, and the way out.
        #[source]
        source: Box<Problem>,
    },
    /// A file of endpoints cannot be read.
    #[error("read {}, named by cluster.nodes[{node}].endpoints_from", path.display())]
    ReadEndpoints {
        /// The node.
        node: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line of a file of endpoints cannot be used.
    #[error("{}, line {line}", path.display())]
    RefusedLine {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong, and the way out.
        #[source]
        source: Box<Problem>,
    },
    /// A directory of the agent cannot be made absolute.
    #[error("find the absolute path of {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}
