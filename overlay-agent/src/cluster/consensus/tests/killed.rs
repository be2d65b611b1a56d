//! A manager in a process of its own, killed at any moment.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    cluster::{address, id},
    switch::Switch,
    table::{Table, set},
};
use crate::cluster::consensus::{
    Compaction, Consensus, Options, ProposeError, ReplicatedLog, Start, StoreError, Timing,
};

const DIRECTORY: &str = "OVERLAY_TEST_KILLED";
const ROUNDS: u64 = 5;

fn options(directory: &Path) -> Options {
    Options {
        data_dir: directory.to_owned(),
        id: id(1),
        address: address(1),
        timing: Timing::default(),
        compaction: Compaction { every: 20, keep: 5 },
    }
}

async fn start(start: Start, directory: &Path) -> Consensus<Table> {
    let plug = Switch::default().plug(id(1));
    Consensus::start(start, options(directory), plug)
        .await
        .unwrap()
}

/// The process that is killed. It says what was acknowledged.
#[tokio::test]
#[ignore = "the other half of killing_a_process_loses_nothing_that_was_acknowledged"]
async fn write_until_killed() {
    let Some(directory) = env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let manager = start(Start::Restart, &directory).await;
    let first = manager.with_state(|table| table.rows.len()) as u64 + 1_000_000;
    for number in first.. {
        let name = format!("{number}-{}", std::process::id());
        manager.propose(set(&name, "x".repeat(1000))).await.unwrap();
        let mut out = io::stdout().lock();
        writeln!(out, "acknowledged {name}").unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn killing_a_process_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    start(Start::Init { epoch: 1 }, directory.path())
        .await
        .shutdown()
        .await;
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture"])
            .arg(format!(
                "{}::write_until_killed",
                module_path!().split_once("::").unwrap().1
            ))
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut count = 0;
        for line in lines.map_while(Result::ok) {
            let Some((_, name)) = line.split_once("acknowledged ") else {
                continue;
            };
            acknowledged.push(name.to_owned());
            count += 1;
            if count == 15 + 4 * round {
                std::thread::sleep(Duration::from_micros(700 * round));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(count >= 15, "the process ended by itself");

        let manager = start(Start::Restart, directory.path()).await;
        let missing = manager.read(|table| {
            let is_missing = |name: &&String| !table.rows.contains_key(*name);
            acknowledged
                .iter()
                .filter(is_missing)
                .cloned()
                .collect::<Vec<_>>()
        });
        assert_eq!(missing.await.unwrap(), Vec::<String>::new());
        manager.shutdown().await;
    }
}

/// A file system of two megabytes.
struct SmallFileSystem(tempfile::TempDir);

impl SmallFileSystem {
    fn mount() -> Self {
        let directory = tempfile::tempdir().unwrap();
        nix::mount::mount(
            Some("overlay-test"),
            directory.path(),
            Some("tmpfs"),
            nix::mount::MsFlags::empty(),
            Some("size=4m"),
        )
        .expect("this test takes root: it mounts a file system");
        Self(directory)
    }
}

impl Drop for SmallFileSystem {
    fn drop(&mut self) {
        nix::mount::umount2(self.0.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
    }
}

#[tokio::test]
async fn a_real_full_file_system_refuses_writes_until_there_is_room() {
    let small = SmallFileSystem::mount();
    let directory = small.0.path();
    let manager = start(Start::Init { epoch: 1 }, directory).await;
    manager.propose(set("first", 1)).await.unwrap();
    let ballast = directory.join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}

    let mut written = 0;
    let error = loop {
        match manager.propose(set(written, "x".repeat(5000))).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };

    assert!(
        matches!(error, ProposeError::Storage(StoreError::Full { .. })),
        "{error:?}"
    );
    fs::remove_file(&ballast).unwrap();
    drop(file);
    let mut leader = manager.leader();
    let back = leader.wait_for(Option::is_some);
    drop(
        tokio::time::timeout(Duration::from_secs(10), back)
            .await
            .unwrap()
            .unwrap(),
    );
    manager.propose(set("last", 1)).await.unwrap();
    let rows = manager.read(|table| table.rows.len()).await.unwrap();
    assert_eq!(rows, written + 2);
    manager.shutdown().await;
}
