//! What a node keeps of its swarm, in `<data-dir>/swarm`: who it is (`node.json`), the managers' last
//! word (`view.json`, with the gossip's keys), its certificate and key (`certificates/node.pem`), and, on
//! a manager, the log (`managers.redb`); and with which keys, not told themselves, it encrypts (`encryption.json`).
//!
//! Every file is complete or not there, whenever the agent is killed or the power fails, and only root
//! can read it.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    net::{IpAddr, SocketAddr},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tracing::warn;
use zeroize::Zeroizing;

use crate::{
    cluster::pki::Files,
    model::{ClusterView, NodeId},
    xfrm,
};

const DIRECTORY: &str = "swarm";
const NODE: &str = "node.json";
const VIEW: &str = "view.json";
const ENCRYPTION: &str = "encryption.json";
const LOG: &str = "managers.redb";
const CERTIFICATES: &str = "certificates";

/// Who this node is, and where.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(in crate::agent) struct Kept {
    /// This node.
    pub(in crate::agent) node: NodeId,
    /// Its name.
    pub(in crate::agent) hostname: String,
    /// Where it answers as a manager.
    pub(in crate::agent) listen: SocketAddr,
    /// Where the others reach it as a manager.
    pub(in crate::agent) control: SocketAddr,
    /// Where the others reach its gossip.
    pub(in crate::agent) gossip: SocketAddr,
    /// Outer source of its packets.
    pub(in crate::agent) data_path: IpAddr,
    /// Where managers answered last.
    pub(in crate::agent) managers: Vec<SocketAddr>,
    /// Whether it has a log of the managers.
    pub(in crate::agent) is_manager: bool,
    /// The name of its last run in the gossip.
    pub(in crate::agent) epoch: Option<u64>,
}

/// The files of one agent.
#[derive(Clone, Debug)]
pub(in crate::agent) struct Disk {
    directory: PathBuf,
}

/// What is known of the swarm could not be kept or found again.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The file system refused.
    #[error("could not {operation} {}", .path.display())]
    File {
        /// What was attempted, as a verb phrase.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what was written.
    #[error(
        "{} is damaged; bring it back from a copy, or remove {} and join the swarm again", 
        .path.display(), .directory.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its directory.
        directory: PathBuf,
        /// Where.
        source: serde_json::Error,
    },
}

impl Disk {
    /// The files below a data directory.
    pub(in crate::agent) fn new(data_dir: &Path) -> Self {
        let directory = data_dir.join(DIRECTORY);
        Self { directory }
    }

    /// Where the managers' log is.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the certificate is.
    pub(super) fn certificates(&self) -> Files {
        Files::new(&self.directory.join(CERTIFICATES))
    }

    /// Who this node is, if it is part of a swarm.
    pub(super) fn node(&self) -> Result<Option<Kept>, DiskError> {
        self.load(NODE)
    }

    /// Remembers who this node is.
    pub(super) fn save_node(&self, kept: &Kept) -> Result<(), DiskError> {
        self.save(NODE, kept)
    }

    /// The managers' last word. A damaged copy is worth nothing, but the managers have it.
    pub(super) fn view(&self) -> Option<ClusterView> {
        self.load(VIEW).unwrap_or_else(|error| {
            let error: &dyn std::error::Error = &error;
            warn!(error, "asking the managers for everything");
            None
        })
    }

    /// Remembers the managers' word.
    pub(super) fn save_view(&self, view: &ClusterView) -> Result<(), DiskError> {
        self.save(VIEW, view)
    }

    /// What this node and the others encrypt with, but for the keys themselves. Without it new ones are agreed on.
    pub(super) fn encryption(&self) -> BTreeMap<NodeId, xfrm::Kept> {
        let kept = self.load(ENCRYPTION).unwrap_or_else(|error| {
            let error: &dyn std::error::Error = &error;
            warn!(error, "agreeing on new keys with all others");
            None
        });
        let kept: Vec<(NodeId, xfrm::Kept)> = kept.unwrap_or_default();
        kept.into_iter().collect()
    }

    /// Remembers it.
    pub(super) fn save_encryption(&self, kept: &BTreeMap<NodeId, xfrm::Kept>) -> io::Result<()> {
        let rows: Vec<_> = kept.iter().collect();
        self.save(ENCRYPTION, &rows).map_err(io::Error::other)
    }

    /// Forgets the managers' log of a node that is none any more.
    pub(super) fn remove_log(&self) -> Result<(), DiskError> {
        let path = self.directory.join(LOG);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &path)(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Forgets everything; that there was nothing is no error.
    pub(in crate::agent) fn destroy(&self) -> Result<(), DiskError> {
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &self.directory)(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, DiskError> {
        let path = self.directory.join(name);
        let text = match fs::read(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let read = serde_json::from_slice(&text);
        read.map(Some).map_err(|source| DiskError::Damaged {
            path,
            directory: self.directory.clone(),
            source,
        })
    }

    fn save<T: Serialize>(&self, name: &str, value: &T) -> Result<(), DiskError> {
        let path = self.directory.join(name);
        let unfinished = path.with_extension("new");
        let write = || {
            let text = Zeroizing::new(serde_json::to_vec(value)?);
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.directory)?;
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&unfinished)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(failed("write", &path))
    }
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError + use<> {
    let path = path.to_owned();
    move |source| DiskError::File {
        operation,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn what_is_kept_is_found_again_and_only_root_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::new(directory.path());
        assert!(disk.node().unwrap().is_none());
        assert!(disk.view().is_none());
        let kept = Kept {
            node: NodeId::from_random(7),
            hostname: "a".to_owned(),
            listen: "0.0.0.0:2377".parse().unwrap(),
            control: "192.0.2.1:2377".parse().unwrap(),
            gossip: "192.0.2.1:7946".parse().unwrap(),
            data_path: "192.0.2.1".parse().unwrap(),
            managers: vec!["192.0.2.2:2377".parse().unwrap()],
            is_manager: false,
            epoch: Some(5),
        };
        let view = ClusterView {
            index: 9,
            ..ClusterView::default()
        };

        disk.save_node(&kept).unwrap();
        disk.save_view(&view).unwrap();

        assert_eq!(disk.node().unwrap(), Some(kept));
        assert_eq!(disk.view(), Some(view));
        for name in [NODE, VIEW] {
            let mode = fs::metadata(disk.directory.join(name)).unwrap().mode();
            assert_eq!(mode & 0o7777, 0o600, "{name}");
        }
        disk.destroy().unwrap();
        disk.destroy().unwrap();
        assert!(disk.node().unwrap().is_none());
    }

    #[test]
    fn damage_is_told_where_it_matters() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::new(directory.path());
        disk.save_view(&ClusterView::default()).unwrap();
        for name in [NODE, VIEW] {
            fs::write(disk.directory.join(name), "{").unwrap();
        }

        assert!(disk.view().is_none());
        assert!(matches!(disk.node(), Err(DiskError::Damaged { .. })));
    }
}
