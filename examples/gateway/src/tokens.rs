//! Who somebody is: JSON Web Tokens (RFC 7519).

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors::Error,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sse_core::{ClientId, GroupName};
use uuid::Uuid;

use crate::settings::{AGES, TokenSettings};

/// By which algorithm tokens are signed, whatever a token says of it.
const ALGORITHM: Algorithm = Algorithm::HS256;

/// Makes tokens, and judges them.
pub struct Tokens {
    signs: EncodingKey,
    verifies: DecodingKey,
    rule: Validation,
    audience: String,
    lasts: Duration,
}

/// The name of a token (`jti`), by which it is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct TokenId(String);

/// What a token says that is valid.
#[derive(Debug, Clone)]
pub(crate) struct Permit {
    pub(crate) token: TokenId,
    pub(crate) user: ClientId,
    pub(crate) groups: Vec<GroupName>,
    /// How long it is valid yet.
    pub(crate) left: Duration,
}

/// The token isn't valid, or not any more. What is wrong with it is nobody's business.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the token isn't valid (any more)")]
pub(crate) struct InvalidToken;

#[derive(Debug, Serialize)]
struct Claims<'a> {
    sub: &'a str,
    aud: &'a str,
    exp: u64,
    iat: u64,
    jti: TokenId,
    /// The groups that the user's streams are in.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    groups: &'a [GroupName],
}

/// What is read of a token once its signature, its audience and its times are judged.
#[derive(Debug, Deserialize)]
struct Said {
    sub: String,
    /// Seconds, which may have a fraction (RFC 7519, 2).
    exp: f64,
    jti: TokenId,
    #[serde(default)]
    groups: Vec<String>,
}

impl TokenId {
    /// The longest that is taken: what stands in a key of a store.
    const LONGEST: usize = 100;

    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Tokens {
    /// Makes and judges them as the settings say.
    #[must_use]
    pub fn new(settings: &TokenSettings) -> Self {
        let secret = settings.secret.expose_secret().as_bytes();
        let mut rule = Validation::new(ALGORITHM);
        rule.set_required_spec_claims(&["exp", "sub", "aud"]);
        rule.set_audience(&[&settings.audience]);
        rule.leeway = 0;
        rule.validate_nbf = true;
        // "On or after" that time it is none (RFC 7519, 4.1.4).
        rule.reject_tokens_expiring_in_less_than = 1;
        Self {
            signs: EncodingKey::from_secret(secret),
            verifies: DecodingKey::from_secret(secret),
            rule,
            audience: settings.audience.clone(),
            lasts: settings.lasts,
        }
    }

    /// How long one lasts that isn't told otherwise.
    pub(crate) const fn lasts(&self) -> Duration {
        self.lasts
    }

    /// A token of a user whose streams are in these groups.
    ///
    /// # Errors
    ///
    /// It can't be signed.
    pub fn issue(
        &self,
        user: &ClientId,
        groups: &[GroupName],
        lasts: Duration,
    ) -> Result<String, Error> {
        let now = since_1970();
        let claims = Claims {
            sub: user.as_str(),
            aud: &self.audience,
            exp: now.saturating_add(lasts).as_secs(),
            iat: now.as_secs(),
            jti: TokenId::new(Uuid::now_v7().simple().to_string()),
            groups,
        };
        encode(&Header::new(ALGORITHM), &claims, &self.signs)
    }

    /// What a token permits; whether it was revoked is for the store to say.
    pub(crate) fn verify(&self, token: &str) -> Result<Permit, InvalidToken> {
        let said = decode::<Said>(token, &self.verifies, &self.rule);
        let said = said.map_err(|_| InvalidToken)?.claims;
        let Said {
            sub,
            exp,
            jti,
            groups,
        } = said;
        if jti.0.is_empty() || jti.0.len() > TokenId::LONGEST {
            return Err(InvalidToken);
        }
        let exp = Duration::try_from_secs_f64(exp).unwrap_or(Duration::MAX);
        let groups: Result<_, _> = groups.into_iter().map(GroupName::new).collect();
        Ok(Permit {
            token: jti,
            user: ClientId::new(sub).map_err(|_| InvalidToken)?,
            groups: groups.map_err(|_| InvalidToken)?,
            left: exp.saturating_sub(since_1970()).min(AGES),
        })
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("audience", &self.audience)
            .field("lasts", &self.lasts)
            .finish_non_exhaustive()
    }
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "a secret of more than thirty-two bytes";
    const HOUR: Duration = Duration::from_secs(3600);

    fn tokens(audience: &str) -> Tokens {
        Tokens::new(&TokenSettings {
            secret: SECRET.into(),
            audience: audience.to_owned(),
            lasts: HOUR,
        })
    }

    fn signed(claims: &Value) -> String {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        encode(&Header::new(ALGORITHM), claims, &key).unwrap()
    }

    #[test]
    fn a_token_says_who_and_for_how_long() {
        let tokens = tokens("push");
        let (ada, staff) = (
            ClientId::new("ada").unwrap(),
            GroupName::new("staff").unwrap(),
        );
        let token = tokens
            .issue(&ada, std::slice::from_ref(&staff), HOUR)
            .unwrap();
        let permit = tokens.verify(&token).unwrap();
        assert_eq!((permit.user, permit.groups), (ada.clone(), vec![staff]));
        assert!(permit.left <= HOUR && permit.left > HOUR - Duration::from_secs(10));
        let other = tokens.issue(&ada, &[], HOUR).unwrap();
        assert_ne!(tokens.verify(&other).unwrap().token, permit.token);
    }

    #[test]
    fn whatever_is_wrong_is_not_taken() {
        let tokens = tokens("push");
        let now = since_1970().as_secs();
        let good = json!({ "sub": "ada", "aud": "push", "exp": now + 60, "iat": now, "jti": "1" });
        assert!(tokens.verify(&signed(&good)).is_ok());
        let others = json!({ "sub": "ada", "aud": ["x", "push"], "exp": u64::MAX, "jti": "1" });
        assert_eq!(tokens.verify(&signed(&others)).unwrap().left, AGES);
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            claims
        };
        for claims in [
            with("aud", json!("others")),
            with("aud", Value::Null),
            with("exp", json!(now)),
            with("exp", Value::Null),
            with("nbf", json!(now + 60)),
            with("sub", json!("")),
            with("sub", json!("a\nb")),
            with("sub", Value::Null),
            with("jti", json!("")),
            with("jti", json!("x".repeat(101))),
            with("jti", Value::Null),
            with("groups", json!(["a\n"])),
            with("groups", json!("staff")),
        ] {
            assert!(tokens.verify(&signed(&claims)).is_err(), "{claims}");
        }
    }

    #[test]
    fn the_algorithm_is_not_the_tokens_to_say() {
        let tokens = tokens("push");
        let token = tokens
            .issue(&ClientId::new("ada").unwrap(), &[], HOUR)
            .unwrap();
        let (_, rest) = token.split_once('.').unwrap();
        // {"alg":"none"}
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", rest.split_once('.').unwrap().0);
        let claims: Value =
            json!({ "sub": "ada", "aud": "push", "exp": u32::MAX, "iat": 0, "jti": "1" });
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let stronger = encode(&Header::new(Algorithm::HS512), &claims, &key).unwrap();
        for token in ["", "x", "x.y.z", &*unsigned, &*stronger] {
            assert!(tokens.verify(token).is_err(), "{token}");
        }
        assert!(!format!("{tokens:?}").contains(SECRET));
    }
}
