use std::{fmt::Display, pin::pin};

use bytes::{Buf, BufMut};
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, StatusCode, header};
use mime::Mime;

/// Why the body of a request isn't taken.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It isn't said to be JSON.
    #[error("the Content-Type is not application/json")]
    NotJson,
    /// It has more bytes than that.
    #[error("the body has more than {0} bytes")]
    TooLarge(usize),
    /// It didn't come whole.
    #[error("{0}")]
    Broken(String),
}

impl BodyError {
    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads a body that says it is JSON to its end, whether its length was said or not.
///
/// # Errors
///
/// [`BodyError`].
pub async fn read_json<B, E>(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, E>> + Send,
    max: usize,
) -> Result<Vec<u8>, BodyError>
where
    B: Buf + Send,
    E: Display + Send,
{
    if !is_json(headers) {
        return Err(BodyError::NotJson);
    }
    let (mut body, mut read) = (pin!(body), Vec::new());
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| BodyError::Broken(error.to_string()))?;
        if read.len() + piece.remaining() > max {
            return Err(BodyError::TooLarge(max));
        }
        read.put(piece);
    }
    Ok(read)
}

/// Whether the `Content-Type` says JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    let mime = content_type.and_then(|value| value.to_str().ok()?.parse::<Mime>().ok());
    mime.is_some_and(|mime| {
        mime.type_() == mime::APPLICATION
            && (mime.subtype() == mime::JSON || mime.suffix() == Some(mime::JSON))
    })
}
