//! New certificates before the old ones end.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};
use tracing::{debug, info, warn};

use crate::cluster::{
    client::{Client, ClientError},
    pki::{
        Clock, Credentials, CredentialsError, FileError, Files, KeyError, SecretKey, renewal_due,
        tls::{Tls, TlsError},
    },
};

/// How often the clock is looked at: it may be set.
const LOOK: Duration = Duration::from_secs(30);

/// Why there is no new certificate yet.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// The managers.
    #[error("no manager renewed this node's certificate")]
    Client(#[from] ClientError),
    /// The key.
    #[error("could not ask for a certificate")]
    Key(#[from] KeyError),
    /// What came back.
    #[error("the new certificate cannot be used")]
    Credentials(#[from] CredentialsError),
    /// The disk.
    #[error("the new certificate could not be kept")]
    Files(#[from] FileError),
    /// TLS.
    #[error("could not set up TLS")]
    Tls(#[from] TlsError),
}

/// Renews until nobody uses the certificates any more.
pub(super) async fn renew_in_time(
    client: Client,
    files: Files,
    clock: Clock,
    tls: watch::Sender<Arc<Tls>>,
) {
    let mut random = rand::random();
    while !tls.is_closed() {
        let validity = tls.borrow().credentials().identity().validity;
        if clock.now() < renewal_due(validity, random) {
            sleep(LOOK).await;
            continue;
        }
        match renew(&client, &files, &clock, &tls).await {
            Ok(()) => {
                random = rand::random();
                info!("has a new certificate");
            }
            Err(error) => {
                report(&error);
                sleep(LOOK).await;
            }
        }
    }
    debug!("nobody uses the certificates any more");
}

/// A new certificate for a key, kept on disk. It has the role that the managers have for the node.
pub(super) async fn renewed(
    client: &Client,
    files: &Files,
    key: SecretKey,
) -> Result<Credentials, RenewError> {
    let renewed = client.renew(key.request()?).await?;
    let credentials = Credentials::new(key, &renewed.certificate, renewed.bundle)?;
    files.save(&credentials)?;
    Ok(credentials)
}

fn report(error: &RenewError) {
    let error: &dyn std::error::Error = error;
    warn!(error, "tries again");
}

/// Gets a new certificate for the key that the node has, and uses it.
async fn renew(
    client: &Client,
    files: &Files,
    clock: &Clock,
    tls: &watch::Sender<Arc<Tls>>,
) -> Result<(), RenewError> {
    let key = tls.borrow().credentials().key().clone();
    let credentials = renewed(client, files, key).await?;
    tls.send_replace(Arc::new(Tls::new(credentials, clock.clone())?));
    Ok(())
}
