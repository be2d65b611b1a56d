//! One full exchange over one stream.
//!
//! The core knows what to say; this task waits for the stream. One frame is on its way at a time, so a
//! slow reader holds up nobody else and no table is in memory twice. Ends when the exchange is over,
//! the stream fails, or the owner of the core is gone.

use tokio::sync::{mpsc, oneshot};
use tracing::debug;

use crate::{
    gossip::transport::{Link, LinkError},
    model::{NodeId, chain},
};

/// What a conversation asks of the owner of the core.
#[derive(Debug)]
pub(super) enum Request {
    /// A stream to this node is open.
    Begin(NodeId, oneshot::Sender<u64>),
    /// What to say next.
    Speak(u64, oneshot::Sender<Speech>),
    /// The other said this. False ends the conversation.
    Heard(u64, Vec<u8>, oneshot::Sender<bool>),
    /// The conversation has ended, well or not.
    End(u64),
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Speech {
    Frame(Vec<u8>),
    Listen,
    Over,
}

/// Where a conversation asks. It has at most one open question, so the queue stays short.
pub(super) type Desk = mpsc::UnboundedSender<Request>;

/// Ends the exchange however the task ends.
struct Exchange {
    number: u64,
    desk: Desk,
}

/// Opens a stream, and exchanges everything over it.
pub(super) async fn begin(
    link: impl Future<Output = Result<Link, LinkError>>,
    with: NodeId,
    desk: Desk,
) {
    match link.await {
        Ok(link) => {
            let begun = ask(&desk, |reply| Request::Begin(with, reply)).await;
            if let Some(number) = begun {
                go_on(link, number, desk).await;
            }
        }
        Err(error) => debug!(error = chain(&error), %with, "no exchange"),
    }
}

/// Exchanges everything over an open stream.
pub(super) async fn go_on(link: Link, number: u64, desk: Desk) {
    let with = link.peer();
    let exchange = Exchange { number, desk };
    if let Err(error) = exchange.run(link).await {
        debug!(error = chain(&error), %with, "an exchange ended early");
    }
}

impl Exchange {
    async fn run(&self, mut link: Link) -> Result<(), LinkError> {
        loop {
            match self.speech().await {
                Some(Speech::Frame(frame)) => link.write(&frame).await?,
                Some(Speech::Listen) => {
                    let Some(frame) = link.read().await? else {
                        return Ok(());
                    };
                    if !self.heard(frame).await {
                        return Ok(());
                    }
                }
                Some(Speech::Over) => return link.close().await,
                None => return Ok(()),
            }
        }
    }

    async fn speech(&self) -> Option<Speech> {
        ask(&self.desk, |reply| Request::Speak(self.number, reply)).await
    }

    async fn heard(&self, frame: Vec<u8>) -> bool {
        ask(&self.desk, |reply| {
            Request::Heard(self.number, frame, reply)
        })
        .await
        .unwrap_or(false)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.desk.send(Request::End(self.number)).is_err() {
            debug!("the gossip ended during an exchange");
        }
    }
}

async fn ask<T>(desk: &Desk, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    desk.send(request(reply)).ok()?;
    answer.await.ok()
}
