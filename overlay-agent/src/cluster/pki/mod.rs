//! Who is who: the cluster's certificate authority, the certificates of its nodes, and the tokens that
//! let a host become one.
//!
//! A node's certificate names it (CN), what it does (OU) and its cluster (O), and nothing else is ever
//! believed about a peer. While the authority changes, both roots are trusted and each has signed the
//! other, so that any two nodes can prove themselves to each other whichever of the two they have heard
//! of. Nothing here connects to anyone.

mod authority;
mod bundle;
mod clock;
mod credentials;
mod digest;
mod files;
mod identity;
mod key;
mod pem;
mod subject;
#[cfg(test)]
pub(crate) mod testing;
pub mod tls;
mod token;
mod validity;

pub use authority::{Authority, IssueError, LIFETIME, Rotation};
pub use bundle::{BundleError, TrustBundle};
pub use clock::Clock;
pub use credentials::{Credentials, CredentialsError};
pub use digest::{DigestError, RootDigest};
pub use files::{FileError, Files};
pub use identity::{Identity, IdentityError, identity_in_pem, peer_identity};
pub use key::{KeyError, SecretKey};
pub use token::{JoinToken, JoinTokens, TokenError, TokenRefusal};
pub use validity::{ClockError, Validity, renewal_due};
