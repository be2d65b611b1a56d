//! One try, from inside the task's own network namespace. Nothing is kept open there afterwards.

use std::{
    net::{SocketAddr, TcpStream},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{task, time};

use super::Check;
use crate::{model::HealthProbe, netlink::Namespace};

/// Tries once; the error says why it failed.
pub(super) async fn probe(check: &Arc<Check>) -> Result<(), String> {
    let limit = Duration::from_millis(check.health.timeout_ms.max(1).into());
    let tried = time::timeout(limit, attempt(Arc::clone(check), limit)).await;
    tried.unwrap_or_else(|_elapsed| Err(format!("no answer within {} ms", limit.as_millis())))
}

async fn attempt(check: Arc<Check>, limit: Duration) -> Result<(), String> {
    let probe = check.health.probe.clone();
    let port = match &probe {
        HealthProbe::Tcp { port } | HealthProbe::Http { port, .. } => *port,
    };
    let address = SocketAddr::new(check.address, port);
    let connecting = task::spawn_blocking(move || connect(&check, address, limit));
    let stream = connecting
        .await
        .map_err(|panicked| panicked.to_string())??;
    match probe {
        HealthProbe::Tcp { .. } => Ok(()),
        HealthProbe::Http { path, .. } => {
            let got = get(stream, address, &path).await;
            let status = got.map_err(|error| error.to_string())?;
            if (200..400).contains(&status) {
                Ok(())
            } else {
                Err(format!("status {status}"))
            }
        }
    }
}

fn connect(check: &Check, address: SocketAddr, limit: Duration) -> Result<TcpStream, String> {
    let namespace = Namespace::open(&check.netns).map_err(|error| error.to_string())?;
    if namespace.id() != check.namespace {
        return Err("its namespace is gone".to_owned());
    }
    let connected = namespace.run(|| TcpStream::connect_timeout(&address, limit));
    let connected = connected.map_err(|error| error.to_string())?;
    connected.map_err(|error| error.to_string())
}

async fn get(
    stream: TcpStream,
    address: SocketAddr,
    path: &str,
) -> Result<u16, Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nonblocking(true)?;
    let stream = TokioIo::new(tokio::net::TcpStream::from_std(stream)?);
    let (mut sender, connection) = http1::handshake(stream).await?;
    let request = Request::get(path)
        .header(header::HOST, address.to_string())
        .header(header::USER_AGENT, "overlay-health")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let mut asked = pin!(sender.send_request(request));
    // The connection has to be driven while the answer is awaited, and may end before it is read.
    let answer = tokio::select! {
        answer = &mut asked => answer?,
        ended = connection => {
            ended?;
            asked.await?
        }
    };
    Ok(answer.status().as_u16())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{Ipv4Addr, TcpListener},
        path::PathBuf,
        thread,
    };

    use super::*;
    use crate::model::{HealthCheck, TaskState};

    fn check(probe: HealthProbe) -> Arc<Check> {
        let netns = PathBuf::from("/proc/thread-self/ns/net");
        Arc::new(Check {
            namespace: Namespace::open(&netns).unwrap().id(),
            netns,
            address: Ipv4Addr::LOCALHOST.into(),
            health: HealthCheck {
                probe,
                interval_ms: 1000,
                timeout_ms: 300,
                retries: 3,
            },
            begins: TaskState::Starting,
        })
    }

    /// A server that answers every request with this line, or not at all.
    fn server(status: Option<&'static str>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 512];
                let length = stream.read(&mut request).unwrap();
                let is_asked = request[..length].starts_with(b"GET /ready HTTP/1.1\r\n");
                match status {
                    Some(status) if is_asked => {
                        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
                    }
                    Some(_) => {}
                    None => thread::sleep(Duration::from_secs(1)),
                }
            }
        });
        port
    }

    fn http(port: u16) -> HealthProbe {
        HealthProbe::Http {
            port,
            path: "/ready".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_port_that_accepts_is_enough_for_tcp() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();

        assert_eq!(probe(&check(HealthProbe::Tcp { port })).await, Ok(()));
        drop(listener);
        assert!(probe(&check(HealthProbe::Tcp { port })).await.is_err());
    }

    #[tokio::test]
    async fn http_wants_a_good_status_in_time() {
        assert_eq!(probe(&check(http(server(Some("200 OK"))))).await, Ok(()));
        assert_eq!(probe(&check(http(server(Some("302 Found"))))).await, Ok(()));
        let sick = probe(&check(http(server(Some("503 Service Unavailable"))))).await;
        assert_eq!(sick, Err("status 503".to_owned()));
        let silent = probe(&check(http(server(None)))).await.unwrap_err();
        assert!(silent.contains("within 300 ms"), "{silent}");
    }

    #[tokio::test]
    async fn a_namespace_that_is_gone_is_a_failure() {
        let there = check(HealthProbe::Tcp { port: 1 });
        let other = Namespace::create().unwrap();
        let gone = Arc::new(Check {
            namespace: other.id(),
            ..(*there).clone()
        });

        assert_eq!(probe(&gone).await, Err("its namespace is gone".to_owned()));
    }
}
