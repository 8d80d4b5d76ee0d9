use bytes::Bytes;
use example_support::BodyError;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use sse_core::{
    Delivery, HistoryError, MembershipError, NameError, OutcomeError, PublishError, Receipt,
};

/// What the API answers; each framework makes it a response of its own.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Response<Bytes>);

impl Answer {
    /// A success that says this in JSON.
    pub(crate) fn json(content: &impl Serialize) -> Self {
        Self::with_status(StatusCode::OK, content)
    }

    fn with_status(status: StatusCode, content: &impl Serialize) -> Self {
        Self(example_support::json(status, content))
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
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("{0}")]
    Unauthorized(&'static str),
    /// Nothing is published any more: to be tried again, when another server is there.
    #[error("the server is draining: publish it again, with the same key, to the one that follows")]
    Draining,
    #[error(transparent)]
    Membership(#[from] MembershipError),
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
            Self::Body(error) => error.status(),
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::Membership(error) => match error {
                MembershipError::Name(_) => StatusCode::BAD_REQUEST,
                MembershipError::TooManyGroups(_) | MembershipError::GroupFull => {
                    StatusCode::CONFLICT
                }
                MembershipError::Closed => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Publish(error) => match error {
                PublishError::Event(_) | PublishError::Name(_) | PublishError::KeyedPredicate => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
                PublishError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                PublishError::Busy => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Outcome(_) | Self::History(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn answer(&self) -> Answer {
        let error = json!({ "error": shortened(self.to_string()) });
        let mut answer = Answer::with_status(self.status(), &error);
        let told = match self {
            Self::MethodNotAllowed { allow } => Some((header::ALLOW, *allow)),
            Self::Unauthorized(_) => Some((header::WWW_AUTHENTICATE, "Bearer")),
            // When the first streams come back, too.
            Self::Draining => Some((header::RETRY_AFTER, "2")),
            _ => None,
        };
        if let Some((name, value)) = told {
            let value = HeaderValue::from_static(value);
            answer.0.headers_mut().insert(name, value);
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
            PublishError::Closed => Self::Draining,
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

impl Sent {
    pub(crate) async fn of(receipt: &Receipt) -> Result<Self, Refusal> {
        Ok(Self {
            position: receipt.position().map(|position| position.to_string()),
            duplicate: receipt.is_duplicate(),
            delivery: receipt.outcome().await?,
        })
    }
}
