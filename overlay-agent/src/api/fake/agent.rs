//! The fake agent on a socket.

use std::{path::Path, sync::Arc, time::Duration};

use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::FakeBackend;
use crate::api::{Client, Listener, server};

/// A fake agent that listens; it stops when this is dropped.
pub(crate) struct FakeAgent {
    directory: TempDir,
    pub(crate) cancel: CancellationToken,
    serving: JoinSet<()>,
}

impl FakeAgent {
    pub(crate) fn start(backend: FakeBackend) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cancel = CancellationToken::new();
        let listener = Listener::bind(directory.path()).unwrap();
        let mut serving = JoinSet::new();
        let until = cancel.clone();
        serving.spawn(async move {
            let grace = Duration::from_millis(300);
            server::serve_with(listener, Arc::new(backend), until, grace)
                .await
                .unwrap();
        });
        Self {
            directory,
            cancel,
            serving,
        }
    }

    pub(crate) fn run_dir(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.run_dir())
    }

    pub(crate) async fn stopped(mut self) -> Duration {
        let start = tokio::time::Instant::now();
        self.cancel.cancel();
        self.serving.join_next().await.unwrap().unwrap();
        start.elapsed()
    }
}
