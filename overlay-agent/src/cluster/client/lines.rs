//! The lines of a watch stream.

use std::net::SocketAddr;

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;

use super::{
    ClientError,
    connection::{Exchange, broken},
};

/// The whole state of a large cluster is one line.
const LONGEST: usize = 256 << 20;

/// What is left to read.
pub(super) struct Lines {
    pub(super) manager: SocketAddr,
    exchange: Exchange,
    /// Received, but not yet a whole line.
    buffer: BytesMut,
    /// So much of the buffer has no end of a line.
    searched: usize,
}

impl Lines {
    pub(super) fn new(manager: SocketAddr, exchange: Exchange) -> Self {
        Self {
            manager,
            exchange,
            buffer: BytesMut::new(),
            searched: 0,
        }
    }

    /// The next whole line without its end; a line that was begun but not ended is left out. If the
    /// future is dropped, nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Bytes, ClientError> {
        let manager = self.manager;
        loop {
            let new = &self.buffer[self.searched..];
            if let Some(end) = new.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + end).freeze();
                self.buffer.advance(1);
                self.searched = 0;
                return Ok(line);
            }
            self.searched = self.buffer.len();
            if self.searched > LONGEST {
                return Err(ClientError::TooLong { manager });
            }
            let frame = self.exchange.response.body_mut().frame().await;
            let frame = frame.ok_or(ClientError::Ended { manager })?;
            let frame = frame.map_err(|source| broken(manager, source))?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}
