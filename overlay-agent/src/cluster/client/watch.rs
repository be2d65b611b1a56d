//! The cluster's state as it changes, from whichever manager is there.

use std::{marker::PhantomData, net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use hyper::{Method, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::{Client, ClientError, answer, lines::Lines, request, turn::Turn};
use crate::cluster::service::{Indexed, wire::Line};

/// A stream of changes that never ends: when a manager is gone, the next one goes on from the same index.
pub struct Watch<C> {
    client: Client,
    /// Of the last change that was given out.
    index: Option<u64>,
    stage: Stage,
    /// Who is still to be asked in this round.
    turn: Option<Turn>,
    /// Since the last sign of life.
    failures: u32,
    changes: PhantomData<fn() -> C>,
}

enum Stage {
    /// Connects to nobody before this moment.
    Resting(Instant),
    Connecting(BoxFuture<'static, Result<Lines, ClientError>>),
    /// Silence counts from this moment.
    Reading(Box<Lines>, Instant),
}

/// What a watcher sees.
#[derive(Debug)]
pub enum Watched<C> {
    /// A manager tells from now on.
    Connected {
        /// Which one.
        manager: SocketAddr,
    },
    /// The state changed.
    Change(Indexed<C>),
    /// A manager does not tell, or not any more; another one is tried by the next call. After an error
    /// with a refusal, like a removal from the cluster, that will hardly help.
    Lost {
        /// What happened.
        error: ClientError,
        /// The next call waits so long before.
        pause: Duration,
    },
}

impl<C: DeserializeOwned> Watch<C> {
    pub(super) fn new(client: Client, index: Option<u64>) -> Self {
        Self {
            client,
            index,
            stage: Stage::Resting(Instant::now()),
            turn: None,
            failures: 0,
            changes: PhantomData,
        }
    }

    /// Of the last change that was given out; a new watch can go on from there.
    pub fn index(&self) -> Option<u64> {
        self.index
    }

    /// What happens next. If the future is dropped, nothing is lost.
    pub async fn next(&mut self) -> Watched<C> {
        loop {
            match &mut self.stage {
                Stage::Resting(end) => {
                    sleep_until(*end).await;
                    self.stage = match self.next_manager() {
                        Some(manager) => Stage::Connecting(
                            open(self.client.clone(), manager, self.index).boxed(),
                        ),
                        None => return self.lost(None, ClientError::NoManager),
                    };
                }
                Stage::Connecting(opening) => match opening.await {
                    Ok(lines) => {
                        let manager = lines.manager;
                        self.stage = Stage::Reading(Box::new(lines), Instant::now());
                        return Watched::Connected { manager };
                    }
                    Err(error) => return self.lost(None, error),
                },
                Stage::Reading(lines, heard) => {
                    let manager = lines.manager;
                    let end = *heard + self.client.shared.timing.silence;
                    match read(lines, end).await {
                        Ok(line) => {
                            *heard = Instant::now();
                            self.client.note_heard();
                            self.failures = 0;
                            self.turn = None;
                            if let Line::Change(change) = line {
                                self.index = Some(change.index);
                                return Watched::Change(change);
                            }
                        }
                        Err(error) => return self.lost(Some(manager), error),
                    }
                }
            }
        }
    }

    fn next_manager(&mut self) -> Option<SocketAddr> {
        let turn = self.turn.take().filter(Turn::is_waiting);
        self.turn
            .insert(turn.unwrap_or_else(|| self.client.turn()))
            .next()
    }

    /// The manager that told until now is asked last in the next round.
    fn lost(&mut self, teller: Option<SocketAddr>, error: ClientError) -> Watched<C> {
        if let Some(teller) = teller {
            let mut turn = self.client.turn();
            turn.put_last(teller);
            self.turn = Some(turn);
        }
        // Within a round only the first attempt waits: it may be that all nodes lost a manager at once.
        let goes_on = teller.is_none() && self.turn.as_ref().is_some_and(Turn::is_waiting);
        let pause = if goes_on {
            Duration::ZERO
        } else {
            let shared = &self.client.shared;
            let failures = self.failures;
            self.failures = failures.saturating_add(1);
            shared.timing.backoff.pause(failures, shared.jitter.next())
        };
        self.stage = Stage::Resting(Instant::now() + pause);
        Watched::Lost { error, pause }
    }
}

async fn open(
    client: Client,
    manager: SocketAddr,
    index: Option<u64>,
) -> Result<Lines, ClientError> {
    let opening = async {
        let connection = client.connect(manager).await?;
        let path = match index {
            Some(index) => format!("/v1/watch?index={index}"),
            None => "/v1/watch".to_owned(),
        };
        let request = request(manager, Method::GET, &path, Bytes::new())?;
        let exchange = connection.send(manager, request).await?;
        let status = exchange.response.status();
        if status == StatusCode::OK {
            return Ok(Lines::new(manager, exchange));
        }
        let (body, _connection) = answer::receive(manager, exchange).await?;
        Err(answer::refusal(manager, status, &body))
    };
    timeout(client.shared.timing.answer, opening)
        .await
        .map_err(|_elapsed| ClientError::TimedOut { manager })?
}

async fn read<C: DeserializeOwned>(
    lines: &mut Lines,
    end: Instant,
) -> Result<Line<C>, ClientError> {
    let manager = lines.manager;
    let line = timeout_at(end, lines.next())
        .await
        .map_err(|_elapsed| ClientError::Silent { manager })?;
    answer::understand(manager, &line?)
}
