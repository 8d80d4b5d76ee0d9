use bytes::Bytes;
use example_support::{BodyError, error};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::error::Category;
use sse_core::PublishError;
use tokio::task::JoinError as Broken;

use crate::{NicknameError, StoreError, members::JoinError};

/// Why a request isn't done. Every one is answered with `{"error": …}`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("not found")]
    NotFound,
    #[error("method not allowed")]
    MethodNotAllowed(&'static str),
    #[error("no token of somebody who has joined")]
    Unauthorized,
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("not JSON: {0}")]
    NotJson(serde_json::Error),
    #[error("not what was expected: {0}")]
    Shape(serde_json::Error),
    #[error("the body is not a JSON object")]
    NotAnObject,
    #[error(transparent)]
    Nickname(#[from] NicknameError),
    #[error("a text has 1 to {0} characters")]
    Text(usize),
    #[error(transparent)]
    Join(#[from] JoinError),
    #[error("nobody is called so")]
    Nobody,
    #[error("somebody else is called so now")]
    SomebodyElse,
    #[error("a member without a name in `to`")]
    NameMissing,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("it wasn't done to its end")]
    Broken(#[from] Broken),
}

impl Refusal {
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::Nobody | Self::SomebodyElse => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Body(error) => error.status(),
            Self::NotJson(_) => StatusCode::BAD_REQUEST,
            Self::Shape(_)
            | Self::NotAnObject
            | Self::Nickname(_)
            | Self::Text(_)
            | Self::NameMissing
            | Self::Join(JoinError::Name(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Join(JoinError::Taken) | Self::Store(StoreError::MailboxFull) => {
                StatusCode::CONFLICT
            }
            Self::Store(StoreError::Full) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Join(JoinError::Full) | Self::Store(_) | Self::Publish(PublishError::Closed) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Join(JoinError::Random(_)) | Self::Publish(_) | Self::Broken(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    pub(crate) fn response(&self) -> Response<Bytes> {
        let mut response = error(self.status(), self);
        let told = match self {
            Self::MethodNotAllowed(allow) => Some((header::ALLOW, *allow)),
            Self::Unauthorized => Some((header::WWW_AUTHENTICATE, "Bearer")),
            _ => None,
        };
        if let Some((name, value)) = told {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            Category::Data => Self::Shape(error),
            _ => Self::NotJson(error),
        }
    }
}
