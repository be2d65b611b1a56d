//! Questions for names, as a resolver asks them: over UDP, at a steady pace, whatever comes back.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

use crate::{Namespace, interrupt};

/// How long the last answers may take.
const LAST: Duration = Duration::from_millis(500);

/// Between two looks at the clock, in which several questions may be due.
const PAUSE: Duration = Duration::from_micros(100);

/// Bytes before the question.
const HEADER: usize = 12;

/// The type of IPv4 addresses, and their class.
const A_IN: [u8; 4] = [0, 1, 0, 1];

/// Questions from one namespace to one server.
#[derive(Clone, Debug)]
pub struct Questions<'a> {
    /// Who asks.
    pub from: &'a Namespace,
    /// Who is asked.
    pub server: SocketAddr,
    /// For the IPv4 addresses of which names, one after the other.
    pub names: &'a [&'a str],
    /// How many of them in a second.
    pub per_second: u32,
    /// The only processor that is used for it.
    pub processor: Option<usize>,
}

/// What came back for a name.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Told {
    /// These addresses.
    Addresses(BTreeSet<Ipv4Addr>),
    /// No such name.
    Unknown,
    /// Another code of the protocol.
    Code(u8),
}

/// What came of all questions.
#[derive(Clone, Debug, Default)]
pub struct Hearing {
    /// How many were asked.
    pub asked: u32,
    /// How long each answer took.
    pub answers: Vec<Duration>,
    /// Everything that came back for each name.
    pub told: BTreeMap<String, BTreeSet<Told>>,
    /// From the first question to the last.
    pub took: Duration,
}

impl Hearing {
    /// Questions without an answer.
    pub fn lost(&self) -> u32 {
        self.asked - self.answers.len() as u32
    }

    /// The time that so many thousandths of all answers stay within.
    pub fn percentile(&self, thousandths: usize) -> Option<Duration> {
        let mut sorted = self.answers.clone();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        Some(sorted[last * thousandths / 1000])
    }
}

impl Questions<'_> {
    /// Asks for so long.
    pub fn ask_for(&self, time: Duration) -> Result<Hearing> {
        let begun = Instant::now();
        self.ask_while(|| begun.elapsed() < time)
    }

    /// Asks as long as `goes_on` says so.
    pub fn ask_while(&self, goes_on: impl Fn() -> bool + Sync) -> Result<Hearing> {
        ensure!(!self.names.is_empty(), "there is nothing to ask for");
        let messages = self.names.iter().map(|name| message(name));
        let messages: Vec<Vec<u8>> = messages.collect::<Result<_>>()?;
        self.from.run(|| {
            if let Some(number) = self.processor {
                let mut only = CpuSet::new();
                only.set(number).context("choosing a processor")?;
                // Threads inherit it.
                sched_setaffinity(Pid::from_raw(0), &only).context("going to a processor")?;
            }
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("opening a socket")?;
            socket
                .connect(self.server)
                .with_context(|| format!("aiming at {}", self.server))?;
            socket
                .set_read_timeout(Some(LAST))
                .context("setting a time limit")?;
            self.converse(&socket, &messages, &goes_on)
        })?
    }

    fn converse(
        &self,
        socket: &UdpSocket,
        messages: &[Vec<u8>],
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Hearing> {
        let open = Mutex::new(BTreeMap::new());
        let is_asking = AtomicBool::new(true);
        thread::scope(|scope| {
            let hearing = scope.spawn(|| self.hear(socket, &open, &is_asking));
            let begun = Instant::now();
            let asked = self.put(socket, messages, &open, goes_on);
            let took = begun.elapsed();
            is_asking.store(false, Ordering::Release);
            let heard = match hearing.join() {
                Ok(heard) => heard,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            Ok(Hearing {
                asked: asked?,
                took,
                ..heard?
            })
        })
    }

    fn put(
        &self,
        socket: &UdpSocket,
        messages: &[Vec<u8>],
        open: &Mutex<BTreeMap<u16, Question>>,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<u32> {
        let begun = Instant::now();
        let mut asked = 0_u32;
        while goes_on() {
            interrupt::check()?;
            let due = begun.elapsed().as_secs_f64() * f64::from(self.per_second);
            while f64::from(asked) < due {
                let place = asked as usize % messages.len();
                let number = (asked % (1 << 16)) as u16;
                let mut message = messages[place].clone();
                message[..2].copy_from_slice(&number.to_be_bytes());
                let question = Question {
                    place,
                    at: Instant::now(),
                };
                lock(open).insert(number, question);
                match socket.send(&message) {
                    Ok(_) => {}
                    // An ICMP error about an earlier question, which counts as lost.
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                    Err(error) => return Err(error).context("asking"),
                }
                asked += 1;
            }
            thread::sleep(PAUSE);
        }
        Ok(asked)
    }

    fn hear(
        &self,
        socket: &UdpSocket,
        open: &Mutex<BTreeMap<u16, Question>>,
        is_asking: &AtomicBool,
    ) -> Result<Hearing> {
        let mut heard = Hearing::default();
        let mut buffer = [0; 4096];
        loop {
            let length = match socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => continue,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if is_asking.load(Ordering::Acquire) {
                        continue;
                    }
                    return Ok(heard);
                }
                Err(error) => return Err(error).context("waiting for answers"),
            };
            let now = Instant::now();
            let answer = &buffer[..length];
            let number = answer.get(..2).context("an answer of no length")?;
            let number = u16::from_be_bytes([number[0], number[1]]);
            let Some(question) = lock(open).remove(&number) else {
                bail!("an answer to nothing that was asked");
            };
            let told = told(answer).with_context(|| format!("reading the answer {answer:?}"))?;
            heard.answers.push(now - question.at);
            let name = self.names[question.place];
            match heard.told.get_mut(name) {
                Some(known) if known.contains(&told) => {}
                Some(known) => drop(known.insert(told)),
                None => drop(heard.told.insert(name.to_owned(), [told].into())),
            }
            if !is_asking.load(Ordering::Acquire) && lock(open).is_empty() {
                return Ok(heard);
            }
        }
    }
}

/// One that was asked.
#[derive(Clone, Copy, Debug)]
struct Question {
    place: usize,
    at: Instant,
}

fn lock(
    open: &Mutex<BTreeMap<u16, Question>>,
) -> std::sync::MutexGuard<'_, BTreeMap<u16, Question>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A question without its number.
fn message(name: &str) -> Result<Vec<u8>> {
    let mut message = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        let length = u8::try_from(label.len()).context("a long label")?;
        ensure!((1..64).contains(&length), "{name:?} is no name");
        message.push(length);
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(A_IN);
    Ok(message)
}

fn told(answer: &[u8]) -> Option<Told> {
    let flags = answer.get(2..4)?;
    let is_whole = flags[0] & 0x82 == 0x80;
    match flags[1] & 0x0f {
        0 if is_whole => {}
        3 => return Some(Told::Unknown),
        code => return Some(Told::Code(code)),
    }
    let word = |at: usize| Some(u16::from_be_bytes([*answer.get(at)?, *answer.get(at + 1)?]));
    let mut at = HEADER;
    for _ in 0..word(4)? {
        at = after_name(answer, at)? + A_IN.len();
    }
    let mut addresses = BTreeSet::new();
    for _ in 0..word(6)? {
        at = after_name(answer, at)?;
        let kind = answer.get(at..at + 4)?;
        let length = usize::from(word(at + 8)?);
        let data = answer.get(at + 10..at + 10 + length)?;
        if kind == A_IN {
            let octets: [u8; 4] = data.try_into().ok()?;
            addresses.insert(octets.into());
        }
        at += 10 + length;
    }
    Some(Told::Addresses(addresses))
}

/// Where a name ends: behind an empty label, or behind the place where it goes on.
fn after_name(answer: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *answer.get(at)? {
            0 => return Some(at + 1),
            0xc0.. => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

impl Told {
    /// Exactly these addresses.
    pub fn exactly(addresses: &[IpAddr]) -> Self {
        let v4 = addresses.iter().filter_map(|address| match address {
            IpAddr::V4(v4) => Some(*v4),
            IpAddr::V6(_) => None,
        });
        Self::Addresses(v4.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question for `db` with these flags, and one answer that points to it.
    fn answer(flags: [u8; 2], data: &[u8]) -> Vec<u8> {
        let mut answer = message("db").expect("a name");
        answer[2..4].copy_from_slice(&flags);
        answer[7] = 1;
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 2, 0]);
        answer.push(data.len() as u8);
        answer.extend(data);
        answer
    }

    #[test]
    fn addresses_and_codes_are_told_apart() {
        let found = told(&answer([0x81, 0x80], &[10, 1, 0, 5]));

        assert_eq!(found, Some(Told::exactly(&[IpAddr::from([10, 1, 0, 5])])));
        assert_eq!(told(&answer([0x81, 0x83], &[])), Some(Told::Unknown));
        assert_eq!(told(&answer([0x81, 0x85], &[])), Some(Told::Code(5)));
        assert_eq!(told(&answer([0x81, 0x80], &[10, 1])), None);
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        assert!(message("a..b").is_err());
        assert!(message(&"a".repeat(64)).is_err());
        assert_eq!(
            message("a.bc").expect("a name")[HEADER..],
            *b"\x01a\x02bc\x00\x00\x01\x00\x01"
        );
    }
}
