//! The body of `/monitor`: one JSON document on a line.

use std::path::PathBuf;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, stream};
use http_body_util::BodyExt;

use super::{ClientError, connection::Exchange, types::Event};

/// What is left to read.
struct Lines {
    exchange: Exchange,
    socket: PathBuf,
    /// Received, but not yet a whole line.
    buffer: BytesMut,
}

/// Events as they arrive; ends with the first error.
pub(super) fn read(
    exchange: Exchange,
    socket: PathBuf,
) -> impl Stream<Item = Result<Event, ClientError>> + use<> {
    let lines = Lines {
        exchange,
        socket,
        buffer: BytesMut::new(),
    };
    stream::try_unfold(lines, async |mut lines| {
        let Some(line) = lines.next().await? else {
            return Ok(None);
        };
        match serde_json::from_slice(&line) {
            Ok(event) => Ok(Some((event, lines))),
            Err(source) => Err(ClientError::NotUnderstood {
                socket: lines.socket,
                source,
            }),
        }
    })
}

impl Lines {
    /// The next whole line without its end. What the agent began but did not end is left out: it
    /// stopped in the middle.
    async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end).freeze();
                self.buffer.advance(1);
                return Ok(Some(line));
            }
            let Some(frame) = self.exchange.response.body_mut().frame().await else {
                return Ok(None);
            };
            let frame = frame.map_err(|source| ClientError::Broken {
                socket: self.socket.clone(),
                source,
            })?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}
