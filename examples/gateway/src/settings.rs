//! What the gateway is set to: one TOML file, and the environment over it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use config::{Config, ConfigError, Environment, File, FileFormat};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sse_core::{EventName, HubConfig, Overflow};

/// How long a key must be that nobody is to guess, in bytes: as long as what it makes (RFC 7518, 3.2).
const SHORTEST_SECRET: usize = 32;

/// Longer than anybody waits, and short enough to be added to a time everywhere: a hundred years.
pub(crate) const AGES: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What comes to the data of an event on the wire: its name, its position, and what is between.
const AROUND_DATA: usize = 1024;

/// What the gateway is set to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where pages and streams are.
    #[serde(default)]
    pub http: HttpSettings,
    /// Where services push.
    pub grpc: GrpcSettings,
    /// How tokens are made and judged.
    pub tokens: TokenSettings,
    /// The Redis that knows which tokens were revoked, and keeps what isn't acknowledged; in memory if
    /// there is none.
    pub redis: Option<SecretString>,
    /// Who may log in: a TOML file, whose path begins at the folder of this one.
    pub users: Option<PathBuf>,
    /// What is kept until it is acknowledged.
    #[serde(default)]
    pub important: ImportantSettings,
    /// How often a line for each connection is logged, at the level debug.
    #[serde(default = "half_a_minute", with = "humantime_serde")]
    pub monitor: Duration,
    /// Over how long streams are ended when the gateway is told to end.
    #[serde(default = "five_seconds", with = "humantime_serde")]
    pub drain: Duration,
    /// The streams: heartbeats, timeouts, limits, what is kept for those who come back.
    pub streams: HubConfig,
}

/// Where pages and streams are.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Whose pages may use it besides its own: origins such as `https://app.example`, or `any`. A list,
    /// which the environment can't give.
    pub allow_origins: Vec<String>,
}

/// Where services push, and how they show who they are: by a key, by a certificate, or by both.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcSettings {
    /// The address to listen on.
    #[serde(default = "local_grpc")]
    pub listen: SocketAddr,
    /// What they send as `authorization: Bearer …`.
    pub key: Option<SecretString>,
    /// TLS, and whose certificates are taken.
    pub tls: Option<TlsSettings>,
    /// How long a call may take.
    #[serde(default = "five_seconds", with = "humantime_serde")]
    pub timeout: Duration,
}

/// Files of TLS, in PEM; their paths begin at the folder of the settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The gateway's certificate, and those that it hangs on.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority of the services' certificates; without one none is asked for.
    pub client_ca: Option<PathBuf>,
}

/// How tokens are made and judged.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSettings {
    /// What they are signed with (HS256): at least 32 bytes.
    pub secret: SecretString,
    /// For whom they are meant: others aren't taken.
    #[serde(default = "push")]
    pub audience: String,
    /// How long one lasts that the gateway makes.
    #[serde(default = "half_a_day", with = "humantime_serde")]
    pub lasts: Duration,
}

/// What is kept of important events until they are acknowledged.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportantSettings {
    /// How many for a user. More aren't taken.
    pub most: usize,
    /// How long.
    #[serde(with = "humantime_serde")]
    pub age: Duration,
    /// How large one may be, in bytes of its data.
    pub largest: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            allow_origins: Vec::new(),
        }
    }
}

impl Default for ImportantSettings {
    fn default() -> Self {
        Self {
            most: 1_000,
            age: Duration::from_secs(7 * 24 * 3600),
            largest: 64 * 1024,
        }
    }
}

fn local_grpc() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9090))
}

fn push() -> String {
    "push".to_owned()
}

const fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

const fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

const fn half_a_day() -> Duration {
    Duration::from_secs(12 * 3600)
}

/// Why there are no settings. It never quotes one that is secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file isn't there, isn't TOML, or says what isn't known or makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A setting can't be what it is.
    #[error("{setting}: {reason}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// Why not.
        reason: &'static str,
    },
}

impl Settings {
    /// Reads them: from `file`, then from the environment (`GATEWAY__HTTP__LISTEN` is `listen` of
    /// `[http]`), then from `redis`.
    ///
    /// # Errors
    ///
    /// [`SettingsError`].
    pub fn read(file: &Path, redis: Option<&str>) -> Result<Self, SettingsError> {
        let environment = Environment::with_prefix("GATEWAY")
            .prefix_separator("__")
            .separator("__");
        let settings = Config::builder()
            .add_source(Config::try_from(&Defaults::default()).map_err(invalid)?)
            .add_source(File::from(file).format(FileFormat::Toml))
            .add_source(environment)
            .set_override_option("redis", redis)
            .and_then(|settings| settings.build()?.try_deserialize::<Self>())
            .map_err(invalid)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        settings.below(folder).checked()
    }

    /// The names of the gateway's own events, which nobody else may use.
    pub(crate) fn own_events(&self) -> [&EventName; 8] {
        let notices = &self.streams.notices;
        [
            &notices.connected,
            &notices.heartbeat,
            &notices.caught_up,
            &notices.gap,
            &notices.reconnect,
            &notices.replaced,
            &notices.closed,
            &notices.refused,
        ]
    }

    /// The same, with its paths beginning at `folder`.
    fn below(mut self, folder: &Path) -> Self {
        let tls = self.grpc.tls.as_mut();
        let of_tls = tls.into_iter().flat_map(|tls| {
            [&mut tls.certificate, &mut tls.key]
                .into_iter()
                .chain(tls.client_ca.as_mut())
        });
        for path in self.users.as_mut().into_iter().chain(of_tls) {
            *path = folder.join(&*path);
        }
        self
    }

    fn checked(self) -> Result<Self, SettingsError> {
        let wrong = |setting, reason| Err(SettingsError::Setting { setting, reason });
        let is_short = |secret: &SecretString| secret.expose_secret().len() < SHORTEST_SECRET;
        let by_certificate = |tls: &TlsSettings| tls.client_ca.is_some();
        if is_short(&self.tokens.secret) {
            return wrong("tokens.secret", "it has less than 32 bytes");
        }
        if self.tokens.audience.is_empty() {
            return wrong("tokens.audience", "it is empty");
        }
        let is_odd = |time: Duration| time.as_secs() == 0 || time > AGES;
        if is_odd(self.tokens.lasts) {
            return wrong("tokens.lasts", "it isn't from a second to a hundred years");
        }
        match &self.grpc.key {
            Some(key) if is_short(key) => {
                return wrong("grpc.key", "it has less than 32 bytes");
            }
            None if !self.grpc.tls.as_ref().is_some_and(by_certificate) => {
                return wrong(
                    "grpc",
                    "anybody could push: give it a key, or a tls.client_ca",
                );
            }
            _ => {}
        }
        if self.grpc.timeout.is_zero() {
            return wrong("grpc.timeout", "it is zero");
        }
        if self.monitor.is_zero() {
            return wrong("monitor", "it is zero");
        }
        if self.important.most == 0 {
            return wrong("important.most", "it is zero");
        }
        if is_odd(self.important.age) {
            return wrong("important.age", "it isn't from a second to a hundred years");
        }
        if self.important.largest.saturating_add(AROUND_DATA) > self.streams.max_event_bytes {
            return wrong(
                "important.largest",
                "it isn't 1024 less than streams.max_event_bytes",
            );
        }
        // What was acknowledged is told by positions, and no position may pass over what was dropped.
        if self.streams.history_events == 0 {
            return wrong(
                "streams.history_events",
                "it is zero: nobody could acknowledge",
            );
        }
        if !matches!(self.streams.overflow, None | Some(Overflow::Disconnect)) {
            return wrong("streams.overflow", "what is dropped could be acknowledged");
        }
        Ok(self)
    }
}

/// What holds where nothing is said.
#[derive(Debug, Serialize)]
struct Defaults {
    streams: HubConfig,
}

impl Default for Defaults {
    fn default() -> Self {
        let mut streams = HubConfig::default();
        if let Ok(name) = EventName::new("connection_id") {
            streams.notices.connected = name;
        }
        streams.initial_heartbeat = true;
        streams.heartbeat_to_all = true;
        streams.healthcheck = Some(Duration::from_secs(90));
        Self { streams }
    }
}

fn invalid(error: ConfigError) -> SettingsError {
    SettingsError::Invalid(words(&error))
}

/// What an error says, without what it quotes: a line of the file, or a value, may be a secret.
fn words(error: &ConfigError) -> String {
    match error {
        ConfigError::FileParse { uri, cause } => {
            let cause = cause.to_string();
            let mut lines = cause.lines();
            let (first, last) = (lines.next().unwrap_or_default(), lines.last());
            let last = last.map(|last| format!(": {last}")).unwrap_or_default();
            let file = uri
                .as_ref()
                .map(|uri| format!("{uri}: "))
                .unwrap_or_default();
            format!("{file}{first}{last}")
        }
        ConfigError::Type { expected, key, .. } => {
            let key = key.as_deref().unwrap_or("a setting");
            format!("{key}: it isn't {expected}")
        }
        ConfigError::At { error, key, .. } => {
            let key = key.as_deref().unwrap_or("a setting");
            format!("{key}: {}", words(error))
        }
        // As serde's `invalid_type` and `invalid_value` have it.
        ConfigError::Message(text) => match text.split_once(", expected ") {
            Some((what, expected)) if what.starts_with("invalid ") => {
                format!("it isn't {expected}")
            }
            _ => text.clone(),
        },
        error => error.to_string(),
    }
}
