use std::{fs, net::SocketAddr, path::Path, process::Stdio, sync::OnceLock, time::Duration};

use example_support::test::{Log, address, spawn};
use gateway::{
    TokenSettings, Tokens,
    proto::{PushToUsersRequest, push_client::PushClient},
};
use serde_json::Value;
use sse_conformance::{Call, Response, StreamClient, request};
use sse_core::{ClientId, GroupName};
use tempfile::TempDir;
use tokio::{
    io::{BufReader, Lines},
    process::{Child, ChildStdout, Command},
};
use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_gateway");

/// What tokens are signed with here, what services bring, and what ada types.
pub(crate) const SECRET: &str = "the-secret-of-tokens-which-nobody-guesses";
pub(crate) const KEY: &str = "the-key-of-services-which-nobody-guesses";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

const HOUR: Duration = Duration::from_secs(3600);

/// A running gateway; it ends with the test.
pub(crate) struct Server {
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
    pub(crate) process: Child,
    pub(crate) log: Log,
    /// What it has said of itself.
    pub(crate) said: Vec<String>,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) folder: TempDir,
}

/// The settings that the gateway comes with, with secrets, and a user.
pub(crate) fn write_settings(folder: &Path) {
    static HASH: OnceLock<String> = OnceLock::new();
    let hash = HASH.get_or_init(|| gateway::hash(PASSWORD).unwrap());
    let settings = include_str!("../../../gateway.toml")
        .replace("<the secret of tokens>", SECRET)
        .replace("<the key of services>", KEY);
    fs::write(folder.join("gateway.toml"), settings).unwrap();
    let users = format!("[ada]\npassword = \"{hash}\"\ngroups = [\"staff\"]\n");
    fs::write(folder.join("users.toml"), users).unwrap();
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With settings from the environment: the name of each is after `GATEWAY__`.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_settings(folder.path());
        Self::start_in(folder, settings).await
    }

    pub(crate) async fn with_redis(url: &str, settings: &[(&str, &str)]) -> Self {
        Self::with(&[&[("REDIS", url)], settings].concat()).await
    }

    pub(crate) async fn start_in(folder: TempDir, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.env("RUST_LOG", "debug").env_remove("NO_COLOR");
        command.stderr(Stdio::piped());
        for (name, value) in [
            ("HTTP__LISTEN", "127.0.0.1:0"),
            ("GRPC__LISTEN", "127.0.0.1:0"),
            ("DRAIN", "100ms"),
        ] {
            command.env(format!("GATEWAY__{name}"), value);
        }
        for (name, value) in settings {
            command.env(format!("GATEWAY__{name}"), value);
        }
        command
            .arg("--config")
            .arg(folder.path().join("gateway.toml"));
        let (mut process, mut lines) = spawn(&mut command);
        let log = Log::of(process.stderr.take().unwrap());
        let mut said = Vec::new();
        for _ in 0..3 {
            let line = lines.next_line().await.unwrap();
            said.push(line.unwrap_or_else(|| panic!("it ends: {}", log.text())));
        }
        Self {
            http: address(&said[0]),
            grpc: said[1].rsplit(' ').next().unwrap().parse().unwrap(),
            process,
            log,
            said,
            lines,
            folder,
        }
    }

    /// Tells it to end, and waits until it has; what it said at the end.
    pub(crate) async fn end(mut self) -> (TempDir, Vec<String>) {
        let id = self.process.id().unwrap().to_string();
        let killed = Command::new("kill").arg(id).status().await.unwrap();
        assert!(killed.success());
        let mut said = Vec::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            said.push(line);
        }
        assert!(self.process.wait().await.unwrap().success());
        (self.folder, said)
    }

    /// A token as the gateway makes them.
    pub(crate) fn token(user: &str, groups: &[&str], lasts: Duration) -> String {
        let tokens = Tokens::new(&TokenSettings {
            secret: SECRET.into(),
            audience: "push".to_owned(),
            lasts,
        });
        let groups = groups.iter().map(|group| GroupName::new(*group).unwrap());
        let groups: Vec<_> = groups.collect();
        tokens
            .issue(&ClientId::new(user).unwrap(), &groups, lasts)
            .unwrap()
    }

    /// A stream by a token of its own.
    pub(crate) async fn open(&self, user: &str) -> StreamClient {
        self.stream(&Self::token(user, &[], HOUR)).await
    }

    pub(crate) fn stream(&self, token: &str) -> Call {
        StreamClient::open(self.http, &format!("/sse?token={token}"))
    }

    /// A stream that goes on after `last`; by the header, if there is any.
    pub(crate) fn resume(&self, user: &str, last: &str) -> Call {
        let call = self.stream(&Self::token(user, &[], HOUR));
        match last {
            "" => call,
            last => call.header("last-event-id", last),
        }
    }

    pub(crate) async fn ask(&self, path: &str, token: Option<&str>, body: &Value) -> Response {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        request(self.http, "POST", path, &headers, body.to_string()).await
    }

    /// What a service has.
    pub(crate) async fn service(&self) -> Service {
        self.service_with(Some(&format!("Bearer {KEY}"))).await
    }

    pub(crate) async fn service_with(&self, authorization: Option<&str>) -> Service {
        let endpoint = Channel::from_shared(format!("http://{}", self.grpc)).unwrap();
        let bearer = Bearer(authorization.map(str::to_owned));
        PushClient::with_interceptor(endpoint.connect().await.unwrap(), bearer)
    }
}

pub(crate) type Service = PushClient<InterceptedService<Channel, Bearer>>;

/// What a service sends with each call.
#[derive(Clone)]
pub(crate) struct Bearer(Option<String>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(bearer) = &self.0 {
            let bearer = bearer.parse().map_err(|_| Status::internal("no text"))?;
            request.metadata_mut().insert("authorization", bearer);
        }
        Ok(request)
    }
}

/// A note to somebody.
pub(crate) fn note(user: &str, json: &str) -> PushToUsersRequest {
    PushToUsersRequest {
        user_ids: vec![user.to_owned()],
        event: "note".to_owned(),
        json_data: json.to_owned(),
        ..PushToUsersRequest::default()
    }
}
