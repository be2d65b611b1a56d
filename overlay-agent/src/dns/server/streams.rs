//! Questions over connections (RFC 7766).

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tracing::{debug, trace};

use crate::dns::{
    Desk,
    desk::{Carrier, Step},
};

/// Connections at once.
const MOST: usize = 512;

/// Of those, one container's.
const MOST_OF_ONE: usize = 32;

/// How long a connection may be silent, in the middle of a message too.
const IDLE: Duration = Duration::from_secs(10);

/// How long to wait when no connection can be taken, as without descriptors.
const RESPITE: Duration = Duration::from_millis(100);

/// Connections by their origin.
type Origins = Arc<Mutex<Count>>;

#[derive(Debug, Default)]
struct Count {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// Answers until the task is dropped; returns why it cannot, if it cannot.
pub(super) async fn serve(desk: Arc<Desk>, listener: TcpListener) -> io::Error {
    let origins = Origins::default();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, source) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(RESPITE).await;
                continue;
            }
        };
        let Some(place) = Place::take(&origins, source.ip()) else {
            desk.counters.dropped.add();
            continue;
        };
        let desk = Arc::clone(&desk);
        connections.spawn(async move {
            if let Err(error) = converse(&desk, stream, &place).await {
                trace!(%error, "a connection ended");
            }
        });
    }
}

/// Room for a connection.
struct Place {
    origins: Origins,
    origin: IpAddr,
}

impl Place {
    fn take(origins: &Origins, origin: IpAddr) -> Option<Self> {
        let mut count = origins.lock().unwrap_or_else(PoisonError::into_inner);
        let own = count.of.get(&origin).copied().unwrap_or_default();
        if count.all >= MOST || own >= MOST_OF_ONE {
            return None;
        }
        count.all += 1;
        count.of.insert(origin, own + 1);
        Some(Self {
            origins: Arc::clone(origins),
            origin,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut count = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        count.all -= 1;
        let own = count.of.get(&self.origin).copied().unwrap_or_default();
        if own > 1 {
            count.of.insert(self.origin, own - 1);
        } else {
            count.of.remove(&self.origin);
        }
    }
}

async fn converse(desk: &Desk, mut stream: TcpStream, place: &Place) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let Some(message) = timeout(IDLE, read(&mut stream)).await?? else {
            return Ok(());
        };
        let reply = match desk.take(&message, place.origin, Carrier::Stream) {
            // Whoever sends no questions has no business here.
            Step::Nothing => return Ok(()),
            Step::Reply(reply) => Some(reply),
            Step::Ask(errand) => desk.run(*errand).await,
        };
        let Some(reply) = reply else {
            return Ok(());
        };
        let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes()[..], &reply].concat();
        timeout(IDLE, stream.write_all(&framed)).await??;
    }
}

/// One message; none if the other side has ended the connection between two.
async fn read(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let length = match stream.read_u16().await {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut message = vec![0; length.into()];
    stream.read_exact(&mut message).await?;
    Ok(Some(message))
}
