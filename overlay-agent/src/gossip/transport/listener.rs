//! Streams that others open.
//!
//! Input: the listening socket. Output: authenticated links. Ends when nobody takes them any more.

use std::time::Duration;

use tokio::{net::TcpListener, sync::mpsc, task::JoinSet, time::sleep};
use tracing::debug;

use super::{
    link::{Introducing, Link},
    places::Places,
};

/// Pause when no stream can be accepted: descriptors may have run out.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn accept(
    listener: TcpListener,
    introducing: Introducing,
    places: Places,
    links: mpsc::Sender<Link>,
) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            () = links.closed() => return,
            Some(_) = handshakes.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let Some(place) = places.take(from.ip()) else {
                        introducing.traffic.streams().crowded += 1;
                        continue;
                    };
                    let introducing = introducing.clone();
                    let links = links.clone();
                    handshakes.spawn(async move {
                        match introducing.accept(stream, place).await {
                            Ok(link) => {
                                if links.send(link).await.is_err() {
                                    debug!("the gossip ended during a handshake");
                                }
                            }
                            Err(error) => debug!(%error, %from, "a stream was refused"),
                        }
                    });
                }
                Err(error) => {
                    debug!(%error, "accepting a stream of the gossip");
                    introducing.traffic.streams().broken += 1;
                    sleep(PAUSE).await;
                }
            },
        }
    }
}
