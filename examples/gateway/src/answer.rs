use bytes::Bytes;
use example_support::{BodyError, error};
use http::{HeaderValue, Response, StatusCode, header};

use crate::{store::StoreError, tokens::InvalidToken, users::LoginError};

pub(crate) type Answer = Result<Response<Bytes>, Refusal>;

/// Why a request isn't done. Every one is answered with `{"error": …}`; none quotes a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("a token is needed that is valid and wasn't revoked")]
    Unauthorized,
    #[error("not found")]
    NotFound,
    #[error("method not allowed")]
    MethodNotAllowed(&'static str),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("not JSON: {0}")]
    Malformed(serde_json::Error),
    #[error("{0}")]
    Invalid(serde_json::Error),
    #[error("last_event_id: no position that a stream of this gateway has told")]
    NoPosition,
    #[error(transparent)]
    Login(#[from] LoginError),
    #[error("nobody can log in here: the gateway has no users")]
    NoUsers,
    #[error("the query is not UTF-8")]
    Query,
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("no token can be made")]
    Signing(#[from] jsonwebtoken::errors::Error),
}

impl Refusal {
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized | Self::Login(LoginError::Wrong) => StatusCode::UNAUTHORIZED,
            Self::NotFound | Self::NoUsers => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Body(error) => error.status(),
            Self::Malformed(_) | Self::Query => StatusCode::BAD_REQUEST,
            Self::Invalid(_) | Self::NoPosition => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Login(LoginError::Busy)
            | Self::Store(StoreError::Unavailable | StoreError::Superseded) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Store(_) | Self::Signing(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn response(&self) -> Response<Bytes> {
        let mut response = error(self.status(), self);
        let told = match self {
            Self::MethodNotAllowed(allow) => Some((header::ALLOW, *allow)),
            Self::Unauthorized => Some((header::WWW_AUTHENTICATE, "Bearer")),
            Self::Login(LoginError::Busy)
            | Self::Store(StoreError::Unavailable | StoreError::Superseded) => {
                Some((header::RETRY_AFTER, "2"))
            }
            _ => None,
        };
        if let Some((name, value)) = told {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<InvalidToken> for Refusal {
    fn from(_: InvalidToken) -> Self {
        Self::Unauthorized
    }
}

impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            serde_json::error::Category::Data => Self::Invalid(error),
            _ => Self::Malformed(error),
        }
    }
}
