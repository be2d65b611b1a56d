//! Bytes that make no sense, or no sense any more: noise, and recordings cut, lengthened, flipped and played again.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::Namespace;

/// How long one side of a stream waits for the other.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest noise.
const LONGEST: u64 = 1600;

/// Endless garbage made of what was recorded, the same for the same seed.
#[derive(Clone, Debug)]
pub struct Garbage {
    recorded: Vec<Vec<u8>>,
    state: u64,
}

impl Garbage {
    /// Garbage that looks like what was recorded; noise alone where that is nothing.
    pub fn of(recorded: Vec<Vec<u8>>, seed: u64) -> Self {
        Self {
            recorded,
            state: seed | 1,
        }
    }

    /// A number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        // Marsaglia's xorshift.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % limit.max(1)
    }

    fn noise(&mut self) -> Vec<u8> {
        let length = self.below(LONGEST);
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    /// The next piece: noise, a recording, or one that was changed.
    pub fn piece(&mut self) -> Vec<u8> {
        let kind = self.below(8);
        if kind == 0 || self.recorded.is_empty() {
            return self.noise();
        }
        let which = self.below(self.recorded.len() as u64) as usize;
        let mut bytes = self.recorded[which].clone();
        match kind {
            1 | 2 => {}
            3 => {
                let kept = self.below(bytes.len() as u64 + 1);
                bytes.truncate(kept as usize);
            }
            4 => bytes.extend(self.noise()),
            _ => {
                for _ in 0..=self.below(3) {
                    let at = self.below(bytes.len() as u64) as usize;
                    let bit = self.below(8);
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << bit;
                    }
                }
            }
        }
        bytes
    }

    /// Sends so many datagrams from inside `from`. `pace` is called after each burst with how many were sent.
    pub fn datagrams(
        &mut self,
        from: &Namespace,
        to: SocketAddr,
        count: u64,
        burst: u64,
        mut pace: impl FnMut(u64) -> Result<()> + Send,
    ) -> Result<()> {
        from.run(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").context("opening a socket")?;
            for number in 1..=count {
                let datagram = self.piece();
                // What the kernel refuses for its length was no danger either.
                let sent = socket.send_to(&datagram, to);
                sent.with_context(|| format!("sending {} bytes to {to}", datagram.len()))?;
                if number % burst == 0 || number == count {
                    pace(number)?;
                }
            }
            Ok(())
        })?
    }

    /// Opens so many streams, one after the other, and sends a piece on each. Returns the longest answer.
    pub fn streams(&mut self, from: &Namespace, to: SocketAddr, count: u64) -> Result<usize> {
        from.run(|| {
            let mut longest = 0;
            for _ in 0..count {
                let piece = self.piece();
                let opened = TcpStream::connect_timeout(&to, PATIENCE);
                let mut stream = opened.with_context(|| format!("connecting to {to}"))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                let mut answer = Vec::new();
                // The other side may end it at any byte.
                if stream.write_all(&piece).is_ok() && stream.shutdown(Shutdown::Write).is_ok() {
                    drop(stream.read_to_end(&mut answer));
                }
                longest = longest.max(answer.len());
            }
            Ok(longest)
        })?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_has_many_forms_and_is_the_same_again() {
        let make = || Garbage::of(vec![vec![7; 100]], 3);
        let (mut one, mut other) = (make(), make());
        let pieces: Vec<Vec<u8>> = (0..200).map(|_| one.piece()).collect();

        assert!(pieces.iter().all(|piece| *piece == other.piece()));
        let has = |is: fn(&Vec<u8>) -> bool| pieces.iter().any(is);
        assert!(has(|piece| *piece == [7; 100]));
        assert!(has(|piece| piece.len() < 100));
        assert!(has(|piece| piece.len() > 100));
        assert!(has(|piece| piece.len() == 100 && *piece != [7; 100]));
    }
}
