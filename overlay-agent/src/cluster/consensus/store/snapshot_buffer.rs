//! A snapshot on its way, with a bound on what it may take.

use std::{
    io::{self, Cursor, SeekFrom},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};

/// The longest snapshot, bytes.
pub(super) const LIMIT: usize = 256 << 20;

/// Bytes of a snapshot, read or written like a file.
#[derive(Debug, Default)]
pub(crate) struct SnapshotBuffer {
    cursor: Cursor<Vec<u8>>,
}

impl SnapshotBuffer {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self {
            cursor: Cursor::new(bytes),
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.cursor.into_inner()
    }
}

impl AsyncRead for SnapshotBuffer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.cursor).poll_read(context, buffer)
    }
}

impl AsyncWrite for SnapshotBuffer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A cursor fills a gap with zeros: the place counts, not only the bytes.
        let end = self.cursor.position().saturating_add(bytes.len() as u64);
        if end > LIMIT as u64 {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the snapshot is longer than a manager takes",
            )));
        }
        Pin::new(&mut self.cursor).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for SnapshotBuffer {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.cursor).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.cursor).poll_complete(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_again() {
        let mut buffer = SnapshotBuffer::default();
        buffer.write_all(b"abcdef").await.unwrap();
        buffer.seek(SeekFrom::Start(2)).await.unwrap();
        let mut text = String::new();
        buffer.read_to_string(&mut text).await.unwrap();

        assert_eq!(text, "cdef");
    }

    #[tokio::test]
    async fn a_far_place_takes_no_memory() {
        for place in [LIMIT as u64, u64::MAX] {
            let mut buffer = SnapshotBuffer::default();
            buffer.seek(SeekFrom::Start(place)).await.unwrap();

            let error = buffer.write_all(b"x").await.unwrap_err();

            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
            assert!(buffer.into_bytes().is_empty());
        }
    }
}
