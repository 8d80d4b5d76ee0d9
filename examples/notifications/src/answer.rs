use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use sse_core::{Delivery, HistoryError, NameError, OutcomeError, PublishError};

/// What the API answers; each framework makes it a response of its own.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Response<Bytes>);

impl Answer {
    /// A success that says this in JSON.
    pub(crate) fn json(content: &impl Serialize) -> Self {
        Self::with_status(StatusCode::OK, content)
    }

    fn with_status(status: StatusCode, content: &impl Serialize) -> Self {
        let (status, body) = match serde_json::to_vec(content) {
            Ok(body) => (status, body),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
        };
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        let content_type = HeaderValue::from_static("application/json; charset=utf-8");
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
        Self(response)
    }
}

/// Why a request isn't done. Every one is answered with `{"error": …}`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("not found")]
    NotFound,
    /// Says which methods there are (RFC 9110, 15.5.6).
    #[error("method not allowed")]
    MethodNotAllowed { allow: &'static str },
    #[error("{0}: not UTF-8")]
    NotUtf8(&'static str),
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
    Publish(PublishError),
    #[error(transparent)]
    Outcome(#[from] OutcomeError),
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl Refusal {
    pub(crate) fn field(field: &'static str, reason: impl ToString) -> Self {
        let reason = reason.to_string();
        Self::Field { field, reason }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotUtf8(_) | Self::Malformed(_) | Self::BadRequest(_) => StatusCode::BAD_REQUEST,
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
            Self::Outcome(_) | Self::History(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn answer(&self) -> Answer {
        let error = json!({ "error": shortened(self.to_string()) });
        let mut answer = Answer::with_status(self.status(), &error);
        if let Self::MethodNotAllowed { allow } = self {
            let allow = HeaderValue::from_static(allow);
            answer.0.headers_mut().insert(header::ALLOW, allow);
        }
        answer
    }
}

/// The text, or its beginning where it is too long: it may quote what the request said, all of it.
fn shortened(mut text: String) -> String {
    const LONGEST: usize = 400;
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

impl From<PublishError> for Refusal {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::IdNotKept => Self::field("id", error),
            error => Self::Publish(error),
        }
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

/// What became of a publication, as the API tells it.
#[derive(Debug, Serialize)]
pub(crate) struct Sent {
    pub(crate) position: Option<String>,
    pub(crate) duplicate: bool,
    #[serde(flatten)]
    pub(crate) delivery: Delivery,
}
