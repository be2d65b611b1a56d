//! What an interface sends and receives, caught by tcpdump: at most so many packets, at most as long as the guard
//! lives.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    Namespace, interrupt,
    process::{Daemon, tail},
};

/// How long tcpdump may take to listen.
const LISTENING: Duration = Duration::from_secs(5);

/// Nothing more is written when nothing was for so long.
const SILENCE: Duration = Duration::from_millis(200);

/// Enough of each packet to know it by.
const SNAP: &str = "96";

/// Length of a pcap file's header, and of what precedes each packet in it.
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// A running tcpdump.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Daemon,
    file: PathBuf,
}

impl Capture {
    /// Starts to catch up to `limit` packets that match `filter` on `device`. The file goes into `directory`.
    pub fn start(
        namespace: &Namespace,
        device: &str,
        filter: &str,
        limit: u32,
        directory: &Path,
    ) -> Result<Self> {
        Self::catch(namespace, device, filter, (limit, SNAP), directory)
    }

    /// [`Capture::start`] that keeps every byte, for [`Capture::packets`].
    pub fn whole(
        namespace: &Namespace,
        device: &str,
        filter: &str,
        limit: u32,
        directory: &Path,
    ) -> Result<Self> {
        Self::catch(namespace, device, filter, (limit, "0"), directory)
    }

    fn catch(
        namespace: &Namespace,
        device: &str,
        filter: &str,
        (limit, snap): (u32, &str),
        directory: &Path,
    ) -> Result<Self> {
        let stem = format!("{}-{device}", namespace.name());
        let file = directory.join(format!("{stem}.pcap"));
        let log = directory.join(format!("{stem}-tcpdump.log"));
        // An earlier capture's log would say that this one listens.
        drop(fs::remove_file(&log));
        let mut command = namespace.command("tcpdump");
        command.args(["-i", device, "-nn", "-U", "-Z", "root", "-s", snap]);
        command.arg("--immediate-mode");
        command.args(["-B", "8192", "-c", &limit.to_string(), "-w"]);
        command.arg(&file).arg(filter);
        let mut tcpdump = Daemon::start("tcpdump", &mut command, &log)?;
        let mut ended = None;
        let ready = interrupt::wait_until(LISTENING, || {
            ended = tcpdump.ended().transpose();
            ended.is_some() || fs::read_to_string(&log).is_ok_and(|log| log.contains("listening"))
        })?;
        if ended.is_some() || !ready {
            bail!("tcpdump does not listen on {device}: {}", tail(&log, 5));
        }
        Ok(Self { tcpdump, file })
    }

    /// Stops and returns the lengths of the caught packets on the wire, Ethernet header included.
    pub fn stop(self) -> Result<Vec<u32>> {
        let records = self.records()?;
        Ok(records.into_iter().map(|(length, _)| length).collect())
    }

    /// Stops and returns what was kept of the caught packets, Ethernet header included.
    pub fn packets(self) -> Result<Vec<Vec<u8>>> {
        let records = self.records()?;
        Ok(records.into_iter().map(|(_, kept)| kept).collect())
    }

    fn records(mut self) -> Result<Vec<(u32, Vec<u8>)>> {
        self.await_silence()?;
        self.tcpdump.interrupt()?;
        let bytes =
            fs::read(&self.file).with_context(|| format!("reading {}", self.file.display()))?;
        records(&bytes).with_context(|| format!("reading {}", self.file.display()))
    }

    /// Interrupted, tcpdump leaves behind what it has not read yet.
    fn await_silence(&self) -> Result<()> {
        let mut before = None;
        interrupt::wait_until(LISTENING, || {
            let now = fs::metadata(&self.file).map(|file| file.len()).ok();
            let is_silent = now == before;
            before = now;
            thread::sleep(SILENCE);
            is_silent
        })?;
        Ok(())
    }
}

/// All packets in a pcap file of this machine's byte order: their lengths on the wire, and what was kept of them.
fn records(file: &[u8]) -> Result<Vec<(u32, Vec<u8>)>> {
    let magic = file.first_chunk().copied().map(u32::from_ne_bytes);
    ensure!(
        magic == Some(0xa1b2_c3d4),
        "no pcap file with microseconds: {magic:x?}"
    );
    let mut rest = file.get(FILE_HEADER..).context("a header cut short")?;
    let mut records = Vec::new();
    while let Some((header, packet)) = rest.split_at_checked(RECORD_HEADER) {
        let number = |at: usize| header[at..].first_chunk().copied().map(u32::from_ne_bytes);
        let (kept, length) = number(8).zip(number(12)).context("a record cut short")?;
        let (bytes, next) = packet
            .split_at_checked(kept as usize)
            .unwrap_or((packet, &[]));
        records.push((length, bytes.to_vec()));
        rest = next;
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_on_the_wire_not_those_in_the_file() {
        let mut file = 0xa1b2_c3d4_u32.to_ne_bytes().to_vec();
        file.resize(FILE_HEADER, 0);
        for (kept, length) in [(2_u32, 1514_u32), (0, 60)] {
            file.extend([0; 8]);
            file.extend(kept.to_ne_bytes());
            file.extend(length.to_ne_bytes());
            file.resize(file.len() + kept as usize, 7);
        }

        let records = records(&file).expect("a capture");

        assert_eq!(records, [(1514, vec![7, 7]), (60, Vec::new())]);
    }
}
