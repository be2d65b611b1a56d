//! How a host becomes a node.

use std::net::SocketAddr;

use bytes::Bytes;
use zeroize::Zeroizing;

use super::{Client, ClientError, Jitter, Source, Timing, answer};
use crate::{
    cluster::{
        pki::{Clock, Credentials, JoinToken, SecretKey, tls::first_contact},
        service::{Host, JoinRequest, Joined, TypedToken},
    },
    model::RequestId,
};

/// What a host brings along.
#[derive(Debug)]
pub struct Join {
    /// The same for every attempt with the same key: it makes one node.
    pub id: RequestId,
    /// What lets it in, and says whom to trust.
    pub token: JoinToken,
    /// The key of the node to be.
    pub key: SecretKey,
    /// What the host says about itself.
    pub host: Host,
}

/// What it has then.
#[derive(Debug)]
pub struct NewNode {
    /// Who it is, and whom it trusts.
    pub credentials: Credentials,
    /// Where managers answer.
    pub managers: Vec<SocketAddr>,
}

/// Joins by any of these managers. The token is sent to nobody who cannot prove to be a manager of the
/// cluster that the token is for.
///
/// # Errors
/// This host is no node. It may be that the managers have one that nobody is; joining again with the same
/// identifier and key makes it this one.
pub async fn join(
    join: Join,
    managers: Vec<SocketAddr>,
    clock: Clock,
    timing: Timing,
    jitter: Jitter,
) -> Result<NewNode, ClientError> {
    let Join {
        id,
        token,
        key,
        host,
    } = join;
    let tls = Source::Token(first_contact(token.digest(), clock)?);
    let client = Client::with_source(tls, managers, timing, jitter);
    let request = JoinRequest {
        id,
        token: TypedToken::from(&token),
        csr: key.request()?,
        host,
    };
    let body = serde_json::to_vec(&request).map_err(ClientError::Encode)?;
    let body = Bytes::from_owner(Zeroizing::new(body));
    let (manager, answer) = client.ask_any("/v1/join", body).await?;
    let Joined {
        node,
        certificate,
        bundle,
        managers,
    } = answer::understand(manager, &answer)?;
    if !bundle.has(token.digest()) {
        let what = "roots without that of the token";
        return Err(ClientError::Cheated { manager, what });
    }
    let credentials = Credentials::new(key, &certificate, bundle)
        .map_err(|source| ClientError::Unusable { manager, source })?;
    if credentials.identity().node != node {
        let what = "the certificate of another node";
        return Err(ClientError::Cheated { manager, what });
    }
    Ok(NewNode {
        credentials,
        managers,
    })
}
