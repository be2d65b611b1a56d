//! Requests that are answered with the name of whoever answers, each one recorded: when it began, how long it took,
//! who answered, or how it failed.

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};

use crate::{Namespace, interrupt};

/// What carries a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A GET over a TCP connection of its own; the body names the server.
    Http,
    /// A datagram from a port of its own; the answer is the server's name.
    Udp,
    /// A datagram from the port of the one before.
    UdpFlow,
}

/// Where requests come from and go to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The client's namespace.
    pub from: Namespace,
    /// Address and port that are asked.
    pub to: SocketAddr,
    /// What carries them.
    pub carrier: Carrier,
    /// How long an answer may take.
    pub patience: Duration,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This server answered.
    Answered(String),
    /// A reset, or "port unreachable".
    Refused,
    /// The connection broke after it was there, or the kernel ended its socket.
    Broken,
    /// Nothing came in time.
    Silent,
    /// The client's own kernel knows no way.
    NoRoute(String),
}

/// One request.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When it began.
    pub begun: Instant,
    /// How long it took, whatever became of it.
    pub took: Duration,
    /// What became of it.
    pub outcome: Outcome,
}

/// All requests of a run, in the order in which they began.
#[derive(Clone, Debug, Default)]
pub struct Record {
    attempts: Vec<Attempt>,
}

/// Requests that go on until [`Load::stop`].
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<Result<Record>>>,
}

impl Target {
    /// HTTP requests that may take two seconds each.
    pub fn http(from: &Namespace, to: SocketAddr) -> Self {
        Self {
            from: from.clone(),
            to,
            carrier: Carrier::Http,
            patience: Duration::from_secs(2),
        }
    }

    /// Datagrams that are lost after half a second.
    pub fn udp(from: &Namespace, to: SocketAddr, carrier: Carrier) -> Self {
        Self {
            from: from.clone(),
            to,
            carrier,
            patience: Duration::from_millis(500),
        }
    }

    /// One request.
    pub fn ask(&self) -> Result<Attempt> {
        let record = self.ask_often(1)?;
        let mut attempts = record.attempts.into_iter();
        attempts.next().context("BUG: a request left no record")
    }

    /// So many requests, one after the other.
    pub fn ask_often(&self, count: u32) -> Result<Record> {
        let done = AtomicBool::new(false);
        self.work(&done, Duration::ZERO, count)
    }

    /// The same by several clients side by side.
    pub fn ask_side_by_side(&self, count: u32, clients: u32) -> Result<Record> {
        thread::scope(|scope| {
            let share = count.div_ceil(clients);
            let working: Vec<_> = (0..clients)
                .map(|_| scope.spawn(move || self.ask_often(share)))
                .collect();
            let records = working.into_iter().map(|worker| match worker.join() {
                Ok(record) => record,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            records.collect::<Result<Vec<Record>>>().map(Record::of)
        })
    }

    /// Asks until an answer comes; the time until then.
    pub fn await_answer(&self, limit: Duration) -> Result<Duration> {
        let begun = Instant::now();
        let mut last = None;
        let answered = interrupt::wait_until(limit, || {
            last = self.ask().ok();
            last.as_ref().is_some_and(Attempt::is_answered)
        })?;
        anyhow::ensure!(
            answered,
            "{} does not answer {}: {last:?}",
            self.to,
            self.from.name()
        );
        Ok(begun.elapsed())
    }

    /// Clients that ask once each `interval` until they are stopped.
    pub fn load(&self, clients: u32, interval: Duration) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let worker = |_| {
            let (target, stop) = (self.clone(), Arc::clone(&stop));
            thread::spawn(move || target.work(&stop, interval, u32::MAX))
        };
        Load {
            workers: (0..clients).map(worker).collect(),
            stop,
        }
    }

    fn work(&self, stop: &AtomicBool, interval: Duration, count: u32) -> Result<Record> {
        self.from.run(|| {
            let mut record = Record::default();
            let mut kept = None;
            let mut due = Instant::now();
            for number in 0..count {
                if stop.load(Ordering::SeqCst) || interrupt::is_raised() {
                    break;
                }
                let begun = Instant::now();
                let outcome = match self.carrier {
                    Carrier::Http => self.get(),
                    Carrier::Udp => datagram(&self.socket()?, number),
                    Carrier::UdpFlow => {
                        if kept.is_none() {
                            kept = Some(self.socket()?);
                        }
                        let socket = kept.as_ref().context("BUG: no socket")?;
                        let outcome = datagram(socket, number);
                        // A socket that was ended is made anew by any client.
                        if outcome == Outcome::Broken {
                            kept = None;
                        }
                        outcome
                    }
                };
                record.attempts.push(Attempt {
                    begun,
                    took: begun.elapsed(),
                    outcome,
                });
                due += interval;
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            Ok(record)
        })?
    }

    fn get(&self) -> Outcome {
        let stream = match TcpStream::connect_timeout(&self.to, self.patience) {
            Ok(stream) => stream,
            Err(error) => return failed(&error, Outcome::Refused),
        };
        match read_name(stream, self.patience) {
            Ok(name) => Outcome::Answered(name),
            Err(error) => failed(&error, Outcome::Broken),
        }
    }

    fn socket(&self) -> Result<UdpSocket> {
        let any: SocketAddr = match self.to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).context("opening a socket")?;
        socket.set_read_timeout(Some(self.patience))?;
        socket
            .connect(self.to)
            .with_context(|| format!("aiming at {}", self.to))?;
        Ok(socket)
    }
}

fn datagram(socket: &UdpSocket, number: u32) -> Outcome {
    let question = number.to_be_bytes();
    if let Err(error) = socket.send(&question) {
        return failed(&error, Outcome::Refused);
    }
    let mut answer = [0; 512];
    loop {
        match socket.recv(&mut answer) {
            Ok(length) if answer[..length].starts_with(&question) => {
                let name = &answer[question.len()..length];
                return Outcome::Answered(String::from_utf8_lossy(name).into_owned());
            }
            // The answer to an earlier one that was given up.
            Ok(_) => {}
            Err(error) => return failed(&error, Outcome::Refused),
        }
    }
}

fn read_name(mut stream: TcpStream, patience: Duration) -> std::io::Result<String> {
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: service\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map(|(_head, body)| body);
    let name = body.map(|body| body.trim().to_owned());
    name.filter(|name| {
        answer.starts_with("HTTP/1.") && answer.contains(" 200 ") && !name.is_empty()
    })
    .ok_or_else(|| std::io::Error::new(ErrorKind::UnexpectedEof, answer.clone()))
}

/// `reset`: what a reset means at this point.
fn failed(error: &std::io::Error, reset: Outcome) -> Outcome {
    let is = |kinds: &[ErrorKind]| kinds.contains(&error.kind());
    if is(&[ErrorKind::ConnectionRefused]) {
        Outcome::Refused
    } else if is(&[ErrorKind::ConnectionAborted]) || is_unconnected(error) {
        Outcome::Broken
    } else if is(&[
        ErrorKind::ConnectionReset,
        ErrorKind::BrokenPipe,
        ErrorKind::UnexpectedEof,
    ]) {
        reset
    } else if is(&[ErrorKind::TimedOut, ErrorKind::WouldBlock]) {
        Outcome::Silent
    } else {
        Outcome::NoRoute(error.to_string())
    }
}

/// What a datagram socket says whose end was not noticed while it waited.
fn is_unconnected(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(nix::libc::EDESTADDRREQ)
}

impl Attempt {
    /// Whether somebody answered.
    pub fn is_answered(&self) -> bool {
        matches!(self.outcome, Outcome::Answered(_))
    }

    /// When it was over.
    pub fn ended(&self) -> Instant {
        self.begun + self.took
    }
}

impl Record {
    fn of(records: Vec<Self>) -> Self {
        let mut attempts: Vec<Attempt> = records
            .into_iter()
            .flat_map(|record| record.attempts)
            .collect();
        attempts.sort_by_key(|attempt| attempt.begun);
        Self { attempts }
    }

    /// All of them.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// How many requests each server has answered.
    pub fn answers(&self) -> BTreeMap<&str, u32> {
        let mut answers = BTreeMap::new();
        for attempt in &self.attempts {
            if let Outcome::Answered(server) = &attempt.outcome {
                *answers.entry(server.as_str()).or_default() += 1;
            }
        }
        answers
    }

    /// Those that nobody answered.
    pub fn failures(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts
            .iter()
            .filter(|attempt| !attempt.is_answered())
    }

    /// Those that began at a moment or later.
    #[must_use]
    pub fn since(&self, moment: Instant) -> Self {
        let attempts = self.attempts.iter();
        Self {
            attempts: attempts
                .filter(|attempt| attempt.begun >= moment)
                .cloned()
                .collect(),
        }
    }

    /// How long after a moment requests still began that failed; zero if none did.
    pub fn outage(&self, moment: Instant) -> Duration {
        let failed = self
            .failures()
            .filter(|attempt| attempt.ended() >= moment)
            .map(|attempt| attempt.begun.saturating_duration_since(moment));
        failed.max().unwrap_or_default()
    }

    /// How far the busiest and the idlest of `servers` servers are from an equal share, as a fraction of it.
    pub fn imbalance(&self, servers: u32) -> f64 {
        let answers = self.answers();
        let all: u32 = answers.values().sum();
        let share = f64::from(all) / f64::from(servers);
        let off = |count: u32| (f64::from(count) - share).abs() / share;
        let missing = if answers.len() < servers as usize {
            1.0
        } else {
            0.0
        };
        answers
            .values()
            .map(|count| off(*count))
            .fold(missing, f64::max)
    }
}

impl Load {
    /// Stops, and returns what became of all requests.
    pub fn stop(mut self) -> Result<Record> {
        self.stop.store(true, Ordering::SeqCst);
        let workers = std::mem::take(&mut self.workers);
        let records = workers.into_iter().map(|worker| {
            worker
                .join()
                .map_err(|_panic| anyhow!("BUG: a client panicked"))?
        });
        records.collect::<Result<Vec<Record>>>().map(Record::of)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            // Nobody asks for its record any more.
            drop(worker.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(begun: Instant, milliseconds: u64, outcome: Outcome) -> Attempt {
        Attempt {
            begun: begun + Duration::from_millis(milliseconds),
            took: Duration::from_millis(10),
            outcome,
        }
    }

    #[test]
    fn an_outage_lasts_until_the_last_failure_after_its_cause() {
        let begun = Instant::now();
        let answered = || Outcome::Answered("a".to_owned());
        let record = Record::of(vec![Record {
            attempts: vec![
                attempt(begun, 500, Outcome::Refused),
                attempt(begun, 100, Outcome::Silent),
                attempt(begun, 300, answered()),
                attempt(begun, 620, answered()),
            ],
        }]);
        let cause = begun + Duration::from_millis(400);

        assert_eq!(record.outage(cause), Duration::from_millis(100));
        assert_eq!(
            record.outage(begun + Duration::from_secs(1)),
            Duration::ZERO
        );
        assert_eq!(record.failures().count(), 2);
        assert_eq!(record.since(cause).attempts().len(), 2);
    }

    #[test]
    fn a_server_that_never_answers_is_no_balance() {
        let begun = Instant::now();
        let by = |server: &str| attempt(begun, 0, Outcome::Answered(server.to_owned()));
        let record = Record {
            attempts: vec![by("a"), by("a"), by("b"), by("b"), by("b"), by("b")],
        };

        assert!((record.imbalance(2) - 1.0 / 3.0).abs() < 1e-9);
        assert!(record.imbalance(3) >= 1.0);
        assert_eq!(record.answers()["b"], 4);
    }
}
