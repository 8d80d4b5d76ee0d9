use poem::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use sse_core::{NameError, OutcomeError, PublishError};

/// Why a request isn't done. Every one is answered with `{"error": …}`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("not JSON: {0}")]
    Malformed(serde_json::Error),
    #[error("{0}")]
    Invalid(serde_json::Error),
    #[error("the body is not a JSON object")]
    NotAnObject,
    #[error("{field}: {reason}")]
    Field { field: &'static str, reason: String },
    #[error("{0}")]
    BadRequest(String),
    #[error("the body has more than {0} bytes")]
    TooLarge(usize),
    #[error("the Content-Type is not application/json")]
    NotJson,
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Outcome(#[from] OutcomeError),
}

impl Refusal {
    pub(crate) fn field(field: &'static str, reason: impl ToString) -> Self {
        let reason = reason.to_string();
        Self::Field { field, reason }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Invalid(_) | Self::NotAnObject | Self::Field { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Publish(error) => match error {
                PublishError::Event(_) | PublishError::Name(_) | PublishError::KeyedPredicate => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
                PublishError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                PublishError::Busy | PublishError::Closed => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Outcome(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn json(&self) -> Value {
        error(&self.to_string())
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

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        Self::BadRequest(error.to_string())
    }
}

pub(crate) fn error(message: &str) -> Value {
    json!({ "error": message })
}

/// What became of a publication, as the API tells it.
#[derive(Debug, Serialize)]
pub(crate) struct Sent {
    pub(crate) position: Option<String>,
    pub(crate) duplicate: bool,
    #[serde(flatten)]
    pub(crate) delivery: sse_core::Delivery,
}
