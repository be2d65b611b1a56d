//! The agent's socket, spoken to directly: HTTP/1.1 with JSON bodies, one request per connection.
//!
//! For measuring the call without the start of the command line's process; everything else uses the command line.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Longer than any answer may take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A client of one agent's socket.
#[derive(Clone, Debug)]
pub struct Api {
    socket: PathBuf,
}

impl Api {
    /// A client of the agent that listens on `socket`. Connects at each request.
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// `GET path`.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.request("GET", path, None)
    }

    /// `POST path` with a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.request("POST", path, Some(body))
    }

    /// `DELETE path`.
    pub fn delete(&self, path: &str) -> Result<Value> {
        self.request("DELETE", path, None)
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let call = || format!("{method} {path} on {}", self.socket.display());
        let (status, answer) = self.exchange(method, path, body).with_context(call)?;
        if !(200..300).contains(&status) {
            bail!("{}: status {status}: {}", call(), answer.trim());
        }
        if answer.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&answer).with_context(call)
    }

    fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, String)> {
        let mut stream = UnixStream::connect(&self.socket).context("connecting")?;
        stream
            .set_read_timeout(Some(TIMEOUT))
            .context("setting a time limit")?;
        let body = body.map_or_else(String::new, Value::to_string);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).context("sending")?;
        read_answer(&mut BufReader::new(stream)).context("reading the answer")
    }
}

fn read_answer(stream: &mut impl BufRead) -> Result<(u16, String)> {
    let status_line = read_line(stream)?;
    let status = status_line
        .split(' ')
        .nth(1)
        .context("no status")?
        .parse()
        .context("status is no number")?;
    let mut length = None;
    let mut chunked = false;
    loop {
        let header = read_line(stream)?.to_ascii_lowercase();
        match header.split_once(':') {
            Some(("content-length", value)) => length = Some(value.trim().parse::<usize>()?),
            Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
            Some(_) => {}
            None => break,
        }
    }
    let mut body = Vec::new();
    match (chunked, length) {
        (true, _) => read_chunks(stream, &mut body)?,
        (false, Some(length)) => {
            body.resize(length, 0);
            stream.read_exact(&mut body)?;
        }
        (false, None) => {
            stream.read_to_end(&mut body)?;
        }
    }
    Ok((status, String::from_utf8(body)?))
}

fn read_chunks(stream: &mut impl BufRead, body: &mut Vec<u8>) -> Result<()> {
    loop {
        let line = read_line(stream)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(digits, 16)
            .with_context(|| format!("chunk length {digits:?}"))?;
        let start = body.len();
        body.resize(start + length, 0);
        stream.read_exact(&mut body[start..])?;
        read_line(stream)?;
        if length == 0 {
            return Ok(());
        }
    }
}

fn read_line(stream: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> (u16, String) {
        read_answer(&mut text.as_bytes()).expect("well-formed")
    }

    #[test]
    fn a_body_ends_where_its_length_says() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnullrest";

        assert_eq!(answer(text), (200, "null".to_owned()));
    }

    #[test]
    fn chunks_are_joined() {
        let text = "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n1\r\n \r\n0\r\n\r\n";

        assert_eq!(answer(text), (404, "{} ".to_owned()));
    }
}
