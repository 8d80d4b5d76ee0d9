use std::time::Duration;

use async_trait::async_trait;
use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, IntoConnectionInfo, ProtocolVersion, PushInfo,
    PushKind, RedisError, Script, Value, aio::MultiplexedConnection,
};
use secrecy::{ExposeSecret, SecretString};
use sse_core::ClientId;
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use uuid::Uuid;

use super::{Change, Changes, Mail, MailId, Store, StoreError, first_young};
use crate::{settings::ImportantSettings, tokens::TokenId};

/// What stands before the name of a revoked token. Anybody may revoke one:
/// `SET gateway:revoked:<jti> 1 EX <seconds>`.
const REVOKED: &str = "gateway:revoked:";

/// What stands before the name of a user, for what is kept for him: a hash, by id.
const MAIL: &str = "gateway:mail:";

/// How long Redis may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is asked whether it is there: a connection may be dead without a word.
const PING: Duration = Duration::from_secs(2);

/// How long to wait before it is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Which gateway it is: the last that began.
const CURRENT: &str = "gateway:current";

/// Keeps an event (`ARGV[1]`, `ARGV[2]`) in each hash but the first key, which says whose this store is
/// (`ARGV[3]`), unless a hash has `ARGV[4]` of them that come after `ARGV[5]`: then answers which. A hash lasts
/// `ARGV[6]` seconds from then on.
const KEEP: &str = "
    redis.call('SETNX', KEYS[1], ARGV[3])
    if redis.call('GET', KEYS[1]) ~= ARGV[3] then return {0} end
    local full = {}
    for i = 2, #KEYS do
        if redis.call('HLEN', KEYS[i]) >= tonumber(ARGV[4]) then
            for _, id in ipairs(redis.call('HKEYS', KEYS[i])) do
                if id < ARGV[5] then redis.call('HDEL', KEYS[i], id) end
            end
            if redis.call('HLEN', KEYS[i]) >= tonumber(ARGV[4]) then full[#full + 1] = i - 1 end
        end
    end
    if #full > 0 then return full end
    for i = 2, #KEYS do
        redis.call('HSET', KEYS[i], ARGV[1], ARGV[2])
        redis.call('EXPIRE', KEYS[i], ARGV[6])
    end
    return full";

/// Puts an event in place of what is in each hash by its id, if anything is.
const PLACE: &str = "
    for _, key in ipairs(KEYS) do
        if redis.call('HEXISTS', key, ARGV[1]) == 1 then redis.call('HSET', key, ARGV[1], ARGV[2]) end
    end";

/// A store in a Redis, version 6 or later, which others may write revocations to. What is kept there is that of
/// one gateway, the last that began.
///
/// It has Redis tell of every change of a revocation, whoever made it (client-side caching, in its
/// broadcasting mode), which needs no setting of the server's and no word from whoever revokes.
#[derive(Debug)]
pub(crate) struct RedisStore {
    limits: ImportantSettings,
    /// By which it knows whether this gateway is the last.
    gateway: String,
    /// None while it can't be reached.
    connection: watch::Receiver<Option<MultiplexedConnection>>,
    keep: Script,
    place: Script,
}

impl RedisStore {
    /// A store that connects from now on, and again whenever that is needed.
    ///
    /// # Errors
    ///
    /// The URL isn't one. It isn't quoted, because a password may stand in it.
    pub(crate) fn new(
        url: &SecretString,
        limits: ImportantSettings,
        changes: Changes,
    ) -> Result<Self, String> {
        let info = url.expose_secret().into_connection_info();
        let info =
            info.map_err(|_| "redis: not a URL such as redis://127.0.0.1:6379".to_owned())?;
        // Only by this protocol it tells what it wasn't asked.
        let settings = info
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings));
        let client = client.map_err(|_| "redis: the URL isn't one that can be used".to_owned())?;
        let (here, connection) = watch::channel(None);
        let gateway = Uuid::now_v7().simple().to_string();
        let task = Task {
            client,
            gateway: gateway.clone(),
            here,
            changes,
            was_there: true,
            has_begun: false,
        };
        tokio::spawn(task.run());
        Ok(Self {
            limits,
            gateway,
            connection,
            keep: Script::new(KEEP),
            place: Script::new(PLACE),
        })
    }

    /// Waits until it is connected, though not for ever.
    pub(crate) async fn connected(&self) -> bool {
        let mut connection = self.connection.clone();
        let connected = connection.wait_for(Option::is_some);
        timeout(PATIENCE, connected)
            .await
            .is_ok_and(|it| it.is_ok())
    }

    fn connection(&self) -> Result<MultiplexedConnection, StoreError> {
        self.connection
            .borrow()
            .clone()
            .ok_or(StoreError::Unavailable)
    }
}

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        if error.is_connection_dropped() || error.is_timeout() || error.is_io_error() {
            Self::Unavailable
        } else {
            Self::Failed(Box::new(error))
        }
    }
}

/// What connects, tells of changes, and connects again, as long as the store is there.
struct Task {
    client: Client,
    gateway: String,
    here: watch::Sender<Option<MultiplexedConnection>>,
    changes: Changes,
    was_there: bool,
    /// Whether others know that this gateway is the last.
    has_begun: bool,
}

impl Task {
    async fn run(mut self) {
        while !self.here.is_closed() {
            let away = self.while_connected().await;
            self.here.send_replace(None);
            if self.was_there {
                tracing::warn!(error = away.category(), "Redis can't be reached");
                self.was_there = false;
            }
            sleep(RETRY).await;
        }
    }

    /// Connects once; why that is over.
    async fn while_connected(&mut self) -> RedisError {
        let (pushes, mut pushed) = mpsc::unbounded_channel();
        let mut connection = match self.connect(pushes).await {
            Ok(connection) => connection,
            Err(error) => return error,
        };
        if !self.was_there {
            tracing::info!("Redis is there again");
        }
        self.was_there = true;
        self.here.send_replace(Some(connection.clone()));
        // What was revoked meanwhile nobody has told.
        let _ = self.changes.send(Change::Any);
        loop {
            tokio::select! {
                push = pushed.recv() => match push.map(|push| told_by(&push)) {
                    Some(Told::Changes(told)) => {
                        for change in told {
                            let _ = self.changes.send(change);
                        }
                    }
                    Some(Told::Away) | None => return away(),
                },
                () = self.here.closed() => return away(),
                () = sleep(PING) => {
                    if let Err(error) = redis::cmd("PING").exec_async(&mut connection).await {
                        return error;
                    }
                }
            }
        }
    }

    async fn connect(
        &mut self,
        pushes: mpsc::UnboundedSender<PushInfo>,
    ) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_push_sender(pushes);
        let mut connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let mut tracking = redis::cmd("CLIENT");
        tracking.arg(&["TRACKING", "ON", "BCAST", "PREFIX", REVOKED]);
        tracking.exec_async(&mut connection).await?;
        // The first time it is the last that began; later another may be.
        let mut begin = redis::cmd(if self.has_begun { "SETNX" } else { "SET" });
        begin.arg(CURRENT).arg(&self.gateway);
        begin.exec_async(&mut connection).await?;
        self.has_begun = true;
        Ok(connection)
    }
}

fn away() -> RedisError {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
}

/// What Redis has told without being asked.
enum Told {
    Changes(Vec<Change>),
    Away,
}

fn told_by(push: &PushInfo) -> Told {
    match push.kind {
        PushKind::Disconnection => Told::Away,
        PushKind::Invalidate => Told::Changes(push.data.iter().flat_map(changes_of).collect()),
        _ => Told::Changes(Vec::new()),
    }
}

/// The keys that have changed; `Nil` where all may have, as after a FLUSHALL.
fn changes_of(keys: &Value) -> Vec<Change> {
    let Value::Array(keys) = keys else {
        return vec![Change::Any];
    };
    let token = |key: &Value| {
        let key = String::from_redis_value_ref(key).ok()?;
        let token = key.strip_prefix(REVOKED)?;
        Some(Change::Token(TokenId::new(token)))
    };
    keys.iter().filter_map(token).collect()
}

fn revocation(token: &TokenId) -> String {
    format!("{REVOKED}{}", token.as_str())
}

fn mailbox(user: &ClientId) -> String {
    format!("{MAIL}{}", user.as_str())
}

#[async_trait]
impl Store for RedisStore {
    async fn revoked(&self, tokens: &[TokenId]) -> Result<Vec<TokenId>, StoreError> {
        let mut connection = self.connection()?;
        let mut are_there = redis::pipe();
        for token in tokens {
            are_there.exists(revocation(token));
        }
        let are_there: Vec<bool> = are_there.query_async(&mut connection).await?;
        let revoked = tokens
            .iter()
            .zip(are_there)
            .filter(|(_, is_there)| *is_there);
        Ok(revoked.map(|(token, _)| token.clone()).collect())
    }

    async fn revoke(&self, token: &TokenId, left: Duration) -> Result<(), StoreError> {
        let mut connection = self.connection()?;
        let mut set = redis::cmd("SET");
        // A second more, so that it doesn't end before the token.
        set.arg(revocation(token))
            .arg(1)
            .arg("EX")
            .arg(left.as_secs() + 1);
        Ok(set.exec_async(&mut connection).await?)
    }

    async fn keep(&self, users: &[ClientId], mail: &Mail) -> Result<(), StoreError> {
        let mut connection = self.connection()?;
        let mut keep = self.keep.prepare_invoke();
        keep.key(CURRENT);
        for user in users {
            keep.key(mailbox(user));
        }
        let first_young = first_young(self.limits.age).simple().to_string();
        keep.arg(mail.id.simple().to_string()).arg(text_of(mail)?);
        keep.arg(&self.gateway).arg(self.limits.most);
        keep.arg(first_young).arg(self.limits.age.as_secs());
        let full: Vec<usize> = keep.invoke_async(&mut connection).await?;
        if full.is_empty() {
            return Ok(());
        }
        if full == [0] {
            return Err(StoreError::Superseded);
        }
        let full = full.into_iter().filter_map(|at| users.get(at - 1)).cloned();
        Err(StoreError::Full(full.collect()))
    }

    async fn place(&self, users: &[ClientId], mail: &Mail) -> Result<(), StoreError> {
        let mut connection = self.connection()?;
        let mut place = self.place.prepare_invoke();
        for user in users {
            place.key(mailbox(user));
        }
        place.arg(mail.id.simple().to_string()).arg(text_of(mail)?);
        Ok(place.invoke_async(&mut connection).await?)
    }

    async fn mail(&self, user: &ClientId) -> Result<Vec<Mail>, StoreError> {
        let mut connection = self.connection()?;
        // In one step: whose it is when it is read.
        let mut read = redis::pipe();
        read.atomic().get(CURRENT).hgetall(mailbox(user));
        let (current, all): (Option<String>, Vec<(String, String)>) =
            read.query_async(&mut connection).await?;
        // One that has forgotten all is nobody's yet.
        if current.is_some_and(|current| current != self.gateway) {
            return Err(StoreError::Superseded);
        }
        let first_young = first_young(self.limits.age);
        let mut mail: Vec<_> = all
            .iter()
            .filter_map(|(id, text)| mail_of(id, text))
            .collect();
        mail.retain(|mail| mail.id >= first_young);
        mail.sort_unstable_by_key(|mail| mail.id);
        Ok(mail)
    }

    async fn discard(&self, users: &[ClientId], mail: &[MailId]) -> Result<(), StoreError> {
        let mut connection = self.connection()?;
        let ids: Vec<_> = mail.iter().map(|id| id.simple().to_string()).collect();
        let mut discard = redis::pipe();
        for user in users {
            discard.hdel(mailbox(user), &ids).ignore();
        }
        Ok(discard.query_async(&mut connection).await?)
    }
}

fn text_of(mail: &Mail) -> Result<String, StoreError> {
    serde_json::to_string(mail).map_err(|error| StoreError::Failed(error.into()))
}

/// What is kept; none where it is something else, which nobody can send.
fn mail_of(id: &str, text: &str) -> Option<Mail> {
    let mail = serde_json::from_str::<Mail>(text).ok().zip(id.parse().ok());
    if mail.is_none() {
        tracing::error!(id, "what is kept isn't understood");
    }
    mail.map(|(mail, id)| Mail { id, ..mail })
}
