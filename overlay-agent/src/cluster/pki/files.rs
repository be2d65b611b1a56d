//! A node's credentials on disk: `<directory>/node.pem` with the certificate, the key and the roots.
//!
//! All are in one file, because they only make sense together: whenever the power fails, either the old
//! ones are there or the new ones.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{Credentials, CredentialsError};

const FILE: &str = "node.pem";
const UNFINISHED: &str = "node.pem.new";
/// Several roots and their cross signatures have some kilobytes.
const LONGEST: usize = 256 << 10;

/// Where a node keeps its credentials.
#[derive(Clone, Debug)]
pub struct Files {
    directory: PathBuf,
}

/// Credentials that cannot be kept or found again.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system refused. What was there before is still there.
    #[error("could not {operation} {}", .path.display())]
    File {
        /// What was attempted, as a verb phrase.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Others could read the key.
    #[error(
        "{} holds a private key and others may read it (mode {:o}); if nobody has, `chmod 600` it, \
         otherwise leave the cluster and join again", .path.display(), .mode & 0o7777
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The contents make no sense.
    #[error(
        "the credentials in {} cannot be used; bring the file back from a copy, or remove it and join \
         again", .path.display()
    )]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: CredentialsError,
    },
}

impl Files {
    /// The files in a directory, which is made when something is saved.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// The credentials that were saved, if any.
    pub fn load(&self) -> Result<Option<Credentials>, FileError> {
        let path = self.directory.join(FILE);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed("open", &path))?,
        };
        let mode = file.metadata().map_err(failed("look at", &path))?.mode();
        if mode & 0o077 != 0 {
            return Err(FileError::Open { path, mode });
        }
        // Reading never makes the text grow, so no copy of the key stays behind.
        let mut text = Zeroizing::new(String::with_capacity(LONGEST + 1));
        file.take(LONGEST as u64)
            .read_to_string(&mut text)
            .map_err(failed("read", &path))?;
        Credentials::from_pem(&text)
            .map(Some)
            .map_err(|source| FileError::Contents { path, source })
    }

    /// Keeps the credentials instead of earlier ones. They are on the disk when this returns.
    pub fn save(&self, credentials: &Credentials) -> Result<(), FileError> {
        let (path, unfinished) = (self.directory.join(FILE), self.directory.join(UNFINISHED));
        let write = || {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.directory)?;
            remove(&unfinished)?;
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&unfinished)?;
            file.write_all(credentials.to_pem().as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(failed("write", &path))
    }

    /// Forgets the credentials; that there were none is no error.
    pub fn remove(&self) -> Result<(), FileError> {
        for name in [FILE, UNFINISHED] {
            let path = self.directory.join(name);
            remove(&path).map_err(failed("remove", &path))?;
        }
        Ok(())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError + use<> {
    let path = path.to_owned();
    move |source| FileError::File {
        operation,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{
        cluster::pki::testing::{NOW, World},
        model::Role,
    };

    #[test]
    fn what_is_saved_is_found_again_and_nobody_else_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(&directory.path().join("certificates"));
        let mut world = World::new();
        let (first, second) = (world.node(Role::Worker), world.node(Role::Manager));
        assert!(files.load().unwrap().is_none());

        files.save(&first).unwrap();
        fs::write(files.directory.join(UNFINISHED), "a crash").unwrap();
        files.save(&second).unwrap();

        let found = files.load().unwrap().unwrap();
        assert_eq!(found.identity(), second.identity());
        assert_eq!(found.bundle(), second.bundle());
        assert!(found.identity().check(NOW).is_ok());
        let mode = fs::metadata(files.directory.join(FILE)).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let names = fs::read_dir(&files.directory).unwrap().count();
        assert_eq!(names, 1);
        files.remove().unwrap();
        files.remove().unwrap();
        assert!(files.load().unwrap().is_none());
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(directory.path());
        files.save(&World::new().node(Role::Worker)).unwrap();
        let path = directory.path().join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();

        let error = files.load().unwrap_err().to_string();

        assert!(
            error.contains("mode 640") && error.contains("chmod 600"),
            "{error}"
        );
    }

    #[test]
    fn every_cut_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(directory.path());
        let credentials = World::new().node(Role::Worker);
        files.save(&credentials).unwrap();
        let path = directory.path().join(FILE);
        let whole = fs::read(&path).unwrap();

        for length in (0..whole.len() - 1).step_by(7) {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(
                matches!(files.load(), Err(FileError::Contents { .. })),
                "{length} of {}",
                whole.len()
            );
        }
    }
}
