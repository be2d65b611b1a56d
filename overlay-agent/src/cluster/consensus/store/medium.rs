//! What a store is kept on.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use redb::{Builder, Database, DatabaseError, backends::FileBackend};

use super::super::StoreError;

const NAME: &str = "managers.redb";

/// Something that holds one database.
pub(crate) trait Medium: Send + Sync + 'static {
    /// Its name in errors.
    fn path(&self) -> &Path;

    /// Opens what is there.
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError>;
}

/// `managers.redb` in a directory.
pub(crate) struct FileMedium {
    path: PathBuf,
}

impl FileMedium {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self {
            path: data_dir.join(NAME),
        }
    }

    /// Makes the file, complete with what `content` puts in, or leaves none. Only its owner may read it.
    pub(crate) fn create(
        &self,
        builder: &Builder,
        content: impl FnOnce(&Database) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if self.path.exists() {
            return Err(StoreError::Exists {
                path: self.path.clone(),
            });
        }
        let unfinished = self.path.with_extension("new");
        let failed = StoreError::io("make", &self.path);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)
            .map_err(&failed)?;
        let backend = FileBackend::new(file)
            .map_err(|error| super::database::fault("make", &self.path, error))?;
        let database = builder
            .create_with_backend(backend)
            .map_err(|error| super::database::fault("make", &self.path, error))?;
        content(&database)?;
        drop(database);
        fs::rename(&unfinished, &self.path)
            .and_then(|()| sync_directory(&self.path))
            .map_err(&failed)
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

impl Medium for FileMedium {
    fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        builder.open(&self.path)
    }
}
