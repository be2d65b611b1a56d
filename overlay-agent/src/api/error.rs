//! Why the agent refused a request.

use serde::{Deserialize, Serialize};

use crate::model::chain;

/// Whose fault it is; decides the HTTP status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorKind {
    /// The request makes no sense: 400.
    BadRequest,
    /// It names something that is not there: 404.
    NotFound,
    /// It is not allowed here: 403.
    Forbidden,
    /// It wants something that another has, or does not fit what is: 409.
    Conflict,
    /// Nobody can decide it now; later may help: 503.
    Unavailable,
    /// The agent or the kernel failed: 500.
    Internal,
}

impl ErrorKind {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    /// What a status of the agent means.
    pub const fn from_status(status: u16) -> Self {
        match status {
            403 => Self::Forbidden,
            404 => Self::NotFound,
            409 => Self::Conflict,
            503 => Self::Unavailable,
            400..=499 => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}

/// A refusal: what happened to which object, and what to do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct ApiError {
    /// Whose fault it is.
    pub kind: ErrorKind,
    /// What happened to which object.
    pub error: String,
    /// What to do, where there is something to do.
    pub help: Option<String>,
}

impl ApiError {
    /// A request that makes no sense.
    pub fn bad_request(error: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadRequest, error)
    }

    /// A request for something that is not there.
    pub fn not_found(error: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, error)
    }

    /// A request for something that another has.
    pub fn conflict(error: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, error)
    }

    /// A request for something that is not allowed here.
    pub fn forbidden(error: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, error)
    }

    /// A request that nobody can decide now.
    pub fn unavailable(error: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, error)
    }

    /// A failure of the agent, told with all its causes.
    pub fn internal(failure: &(dyn std::error::Error + 'static)) -> Self {
        Self::new(ErrorKind::Internal, chain(failure))
    }

    /// The same error with a way out.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn new(kind: ErrorKind, error: impl Into<String>) -> Self {
        Self {
            kind,
            error: error.into(),
            help: None,
        }
    }
}

/// The body of a refusal.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) error: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) help: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_survive_their_status() {
        for kind in [
            ErrorKind::BadRequest,
            ErrorKind::NotFound,
            ErrorKind::Forbidden,
            ErrorKind::Conflict,
            ErrorKind::Unavailable,
            ErrorKind::Internal,
        ] {
            assert_eq!(ErrorKind::from_status(kind.status()), kind);
        }
    }

    #[test]
    fn an_internal_error_tells_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("write the map ROUTE")]
        struct Outer(#[source] std::io::Error);
        let failure = Outer(std::io::Error::other("table full"));

        assert_eq!(
            ApiError::internal(&failure).error,
            "write the map ROUTE: table full"
        );
    }
}
