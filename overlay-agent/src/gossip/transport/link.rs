//! An authenticated stream between two nodes.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use zerocopy::IntoBytes;

use super::{SharedSeal, counters::Traffic, limits::Limits, places::Place, sockets};
use crate::{
    gossip::{
        host,
        seal::{CHUNK, ChunkHead, HELLO, Introduction, Refusal, SealError, StreamKeys},
    },
    model::NodeId,
};

/// Why a stream ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The other node could not be reached.
    #[error("cannot open a stream to {address}")]
    Connect {
        /// Where it should listen.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The stream broke.
    #[error("the stream broke")]
    Broken {
        /// What the kernel says.
        #[from]
        source: io::Error,
    },
    /// The other side is no member, or does not hold the secret.
    #[error("the other side was refused")]
    Refused {
        /// Why.
        #[from]
        source: Refusal,
    },
    /// Nothing can be sealed.
    #[error("cannot seal")]
    Seal {
        /// Why not.
        #[from]
        source: SealError,
    },
    /// The other side was too slow.
    #[error("the other side takes too long")]
    TimedOut,
    /// The other side sent more than one stream may bring.
    #[error("the other side sends more than {limit} bytes")]
    TooMuch {
        /// What one stream may bring.
        limit: u64,
    },
}

/// A stream whose other end has proved to be a member. Every chunk is one message.
pub(crate) struct Link {
    peer: NodeId,
    stream: TcpStream,
    keys: StreamKeys,
    limits: Limits,
    deadline: Instant,
    received: u64,
    traffic: Arc<Traffic>,
    _place: Option<Place>,
}

/// What both sides of a handshake need.
#[derive(Clone)]
pub(super) struct Introducing {
    pub(super) seal: SharedSeal,
    pub(super) limits: Limits,
    pub(super) traffic: Arc<Traffic>,
}

impl Introducing {
    /// Opens a stream to a member.
    pub(super) async fn connect(
        self,
        from: SocketAddr,
        peer: NodeId,
        address: SocketAddr,
    ) -> Result<Link, LinkError> {
        let until = Instant::now() + self.limits.handshake;
        let traffic = Arc::clone(&self.traffic);
        let link = within(until, self.open(from, peer, address)).await;
        match &link {
            Ok(_) => traffic.streams().opened += 1,
            Err(error) => error.count(&traffic),
        }
        link
    }

    /// Answers whoever opened this stream.
    pub(super) async fn accept(self, stream: TcpStream, place: Place) -> Result<Link, LinkError> {
        let until = Instant::now() + self.limits.handshake;
        let traffic = Arc::clone(&self.traffic);
        let link = within(until, self.answer(stream, place)).await;
        match &link {
            Ok(_) => traffic.streams().accepted += 1,
            Err(error) => error.count(&traffic),
        }
        link
    }

    async fn open(
        self,
        from: SocketAddr,
        peer: NodeId,
        address: SocketAddr,
    ) -> Result<Link, LinkError> {
        let hello = self.seal.lock().hello(peer, host::random())?;
        let mut stream = sockets::connect(from, address)
            .await
            .map_err(|source| LinkError::Connect { address, source })?;
        stream.set_nodelay(true)?;
        stream.write_all(hello.as_bytes()).await?;
        let answer = read_hello(&mut stream).await?;
        let keys = self.seal.lock().answered(&hello, &answer)?;
        self.introduce(stream, peer, keys, None).await
    }

    async fn answer(self, mut stream: TcpStream, place: Place) -> Result<Link, LinkError> {
        stream.set_nodelay(true)?;
        let hello = read_hello(&mut stream).await?;
        let (peer, answer, keys) = self.seal.lock().answer(&hello, host::random())?;
        stream.write_all(answer.as_bytes()).await?;
        self.introduce(stream, peer, keys, Some(place)).await
    }

    async fn introduce(
        self,
        mut stream: TcpStream,
        peer: NodeId,
        mut keys: StreamKeys,
        place: Option<Place>,
    ) -> Result<Link, LinkError> {
        let ours = self.seal.lock().introduction(peer);
        stream
            .write_all(&keys.sealer.seal(ours.as_bytes())?)
            .await?;
        let head = read_head(&mut stream, size_of::<Introduction>()).await?;
        let mut sealed = vec![0; head.sealed_bytes()];
        stream.read_exact(&mut sealed).await?;
        let theirs = Introduction::read(keys.opener.open(head, &mut sealed)?)?;
        self.seal.lock().introduced(peer, theirs)?;
        Ok(Link {
            peer,
            stream,
            keys,
            deadline: Instant::now() + self.limits.stream,
            limits: self.limits,
            received: 0,
            traffic: self.traffic,
            _place: place,
        })
    }
}

impl Link {
    /// Who is at the other end.
    pub(crate) fn peer(&self) -> NodeId {
        self.peer
    }

    /// Sends one message of at most [`CHUNK`] bytes.
    pub(crate) async fn write(&mut self, message: &[u8]) -> Result<(), LinkError> {
        let chunk = self.keys.sealer.seal(message)?;
        let until = self.patience();
        within(until, async { Ok(self.stream.write_all(&chunk).await?) })
            .await
            .inspect_err(|error| error.count(&self.traffic))?;
        self.traffic.streams().sent_bytes += message.len() as u64;
        Ok(())
    }

    /// Waits for the next message. None when the other side has closed the stream.
    pub(crate) async fn read(&mut self) -> Result<Option<Vec<u8>>, LinkError> {
        let until = self.patience();
        let message = within(until, self.read_chunk()).await;
        match &message {
            Ok(Some(message)) => {
                self.traffic.streams().received_bytes += message.len() as u64;
            }
            Ok(None) => {}
            Err(error) => error.count(&self.traffic),
        }
        message
    }

    /// Tells the other side that nothing more will come.
    pub(crate) async fn close(mut self) -> Result<(), LinkError> {
        let until = self.patience();
        within(until, async { Ok(self.stream.shutdown().await?) }).await
    }

    async fn read_chunk(&mut self) -> Result<Option<Vec<u8>>, LinkError> {
        let head = match read_head(&mut self.stream, CHUNK).await {
            Ok(head) => head,
            Err(LinkError::Broken { source }) if source.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.received += head.sealed_bytes() as u64;
        let limit = self.limits.stream_bytes;
        if self.received > limit {
            return Err(LinkError::TooMuch { limit });
        }
        let mut sealed = vec![0; head.sealed_bytes()];
        self.stream.read_exact(&mut sealed).await?;
        let plain = self.keys.opener.open(head, &mut sealed)?.len();
        sealed.truncate(plain);
        Ok(Some(sealed))
    }

    fn patience(&self) -> Instant {
        self.deadline.min(Instant::now() + self.limits.idle)
    }
}

impl LinkError {
    fn count(&self, traffic: &Traffic) {
        let mut counters = traffic.streams();
        match self {
            Self::Connect { .. } | Self::Broken { .. } | Self::Seal { .. } => counters.broken += 1,
            Self::Refused { source } => counters.refused.count(*source),
            Self::TimedOut => counters.timed_out += 1,
            Self::TooMuch { .. } => counters.too_much += 1,
        }
    }
}

async fn within<T>(
    until: Instant,
    work: impl Future<Output = Result<T, LinkError>>,
) -> Result<T, LinkError> {
    timeout_at(until, work)
        .await
        .unwrap_or(Err(LinkError::TimedOut))
}

async fn read_hello(stream: &mut TcpStream) -> Result<[u8; HELLO], LinkError> {
    let mut hello = [0; HELLO];
    stream.read_exact(&mut hello).await?;
    Ok(hello)
}

async fn read_head(stream: &mut TcpStream, longest: usize) -> Result<ChunkHead, LinkError> {
    let mut head = [0; ChunkHead::BYTES];
    stream.read_exact(&mut head).await?;
    Ok(ChunkHead::read(head, longest)?)
}
