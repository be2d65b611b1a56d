//! Endpoints on disk, so that a restarted agent knows what it has: one JSON file for each, in
//! `<data-dir>/endpoints/<identifier>.json`.
//!
//! A file is complete or not there, whenever the agent is killed. What a crash of the whole machine
//! does to it does not matter, because no namespace and no endpoint survives that; so nothing waits for
//! the disk.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tracing::warn;

use crate::model::Attachment;

const DIRECTORY: &str = "endpoints";
const EXTENSION: &str = "json";
const DAMAGED: &str = "damaged";

/// The files of one agent.
#[derive(Clone, Debug)]
pub(super) struct Store {
    directory: PathBuf,
}

/// Why endpoints could not be kept or found again.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
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
    /// An endpoint has no JSON form.
    #[error("BUG: endpoint {name} could not be written as JSON")]
    Encode {
        /// Its name.
        name: String,
        /// What serde says.
        source: serde_json::Error,
    },
}

impl Store {
    /// Opens the directory, which is made if it is missing.
    pub(super) fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let directory = data_dir.join(DIRECTORY);
        fs::create_dir_all(&directory).map_err(failed("make", &directory))?;
        Ok(Self { directory })
    }

    /// Every endpoint that was kept. A file that nobody can read any more is put aside.
    pub(super) fn load(&self) -> Result<Vec<Attachment>, StoreError> {
        let mut attachments = Vec::new();
        let listing = fs::read_dir(&self.directory).map_err(failed("list", &self.directory))?;
        for entry in listing {
            let path = entry.map_err(failed("list", &self.directory))?.path();
            if path
                .extension()
                .is_none_or(|extension| extension != EXTENSION)
            {
                continue;
            }
            let text = fs::read(&path).map_err(failed("read", &path))?;
            match serde_json::from_slice(&text) {
                Ok(attachment) => attachments.push(attachment),
                Err(error) => {
                    let aside = path.with_extension(DAMAGED);
                    warn!(%error, file = %aside.display(), "an endpoint's file is damaged; put aside");
                    fs::rename(&path, &aside).map_err(failed("put aside", &path))?;
                }
            }
        }
        Ok(attachments)
    }

    /// Keeps an endpoint.
    pub(super) fn save(&self, attachment: &Attachment) -> Result<(), StoreError> {
        let text = serde_json::to_vec_pretty(attachment).map_err(|source| StoreError::Encode {
            name: attachment.name.clone(),
            source,
        })?;
        let path = self.path(&attachment.id);
        let unfinished = path.with_extension("new");
        let write = || {
            fs::write(&unfinished, &text)?;
            fs::rename(&unfinished, &path)
        };
        write().map_err(failed("write", &path))
    }

    /// Forgets an endpoint; that there was none is no error.
    pub(super) fn remove(&self, id: &str) -> Result<(), StoreError> {
        let path = self.path(id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &path)(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes the directory and every file in it; returns the names of the endpoints that it had.
    pub(super) fn destroy(data_dir: &Path) -> Result<Vec<String>, StoreError> {
        let directory = data_dir.join(DIRECTORY);
        if !directory.exists() {
            return Ok(Vec::new());
        }
        let store = Self { directory };
        let endpoints = store.load()?.into_iter();
        let directory = &store.directory;
        fs::remove_dir_all(directory).map_err(failed("remove", directory))?;
        Ok(endpoints
            .map(|endpoint| format!("{} of {}", endpoint.name, endpoint.network))
            .collect())
    }

    fn path(&self, id: &str) -> PathBuf {
        self.directory.join(id).with_extension(EXTENSION)
    }
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::File {
        operation,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::testing::attachment;

    #[test]
    fn what_is_saved_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        store.save(&attachment(1)).unwrap();
        store.save(&attachment(2)).unwrap();
        store.remove(&attachment(1).id).unwrap();
        store.remove(&attachment(1).id).unwrap();

        let found = Store::open(directory.path()).unwrap().load().unwrap();

        assert_eq!(found, [attachment(2)]);
        assert_eq!(Store::destroy(directory.path()).unwrap(), ["c2 of blue"]);
        assert!(Store::destroy(directory.path()).unwrap().is_empty());
    }

    #[test]
    fn a_damaged_file_is_put_aside_and_the_others_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        store.save(&attachment(1)).unwrap();
        fs::write(store.path("ab"), "{").unwrap();
        fs::write(store.directory.join("ff.new"), "unfinished").unwrap();

        assert_eq!(store.load().unwrap(), [attachment(1)]);

        assert!(store.directory.join("ab.damaged").exists());
        assert_eq!(store.load().unwrap().len(), 1);
    }
}
