//! One question to one resolver.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
};

use super::Question;
use crate::dns::wire::header;

/// The longest message.
const LONGEST: usize = 65_535;

/// Asks by a datagram, from a port of its own. Never ends if nobody answers.
pub(super) async fn by_datagram(server: SocketAddr, question: &Question) -> io::Result<Vec<u8>> {
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(server).await?;
    let query = disguised(question);
    socket.send(&query).await?;
    loop {
        // Room for an answer is taken when there is one: many wait, few have one.
        socket.readable().await?;
        let mut reply = vec![0; LONGEST];
        match socket.try_recv(&mut reply) {
            Ok(length) => reply.truncate(length),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        if is_answer(&reply, &query, question.end) {
            return Ok(restored(reply, question));
        }
    }
}

/// Asks over a connection. Never ends if nobody answers.
pub(super) async fn by_stream(server: SocketAddr, question: &Question) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let query = disguised(question);
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    let framed = [&length.to_be_bytes()[..], &query].concat();
    stream.write_all(&framed).await?;
    let mut reply = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut reply).await?;
    if is_answer(&reply, &query, question.end) {
        return Ok(restored(reply, question));
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "an answer to another question",
    ))
}

/// Whether a resolver will not or cannot answer, so that another may.
pub(super) fn is_refusal(reply: &[u8]) -> bool {
    const SERVER_FAILURE: u8 = 2;
    const REFUSED: u8 = 5;
    matches!(header::code(reply), Some(SERVER_FAILURE | REFUSED))
}

/// Whether an answer was cut.
pub(super) fn is_truncated(reply: &[u8]) -> bool {
    header::is_truncated(reply)
}

/// The query with an identifier that nobody can guess.
fn disguised(question: &Question) -> Vec<u8> {
    let mut query = question.message.clone();
    header::set_id(&mut query, rand::random::<u16>().to_be_bytes());
    query
}

fn restored(mut reply: Vec<u8>, question: &Question) -> Vec<u8> {
    if let Some(id) = header::id(&question.message) {
        header::set_id(&mut reply, id);
    }
    reply
}

fn is_answer(reply: &[u8], query: &[u8], end: usize) -> bool {
    header::is_response(reply)
        && header::id(reply) == header::id(query)
        && header::has_question(reply, query, end)
}
