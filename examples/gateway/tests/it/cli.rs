//! The command line and the settings: what is wrong is said at the start, in words.

use std::{fs, path::Path, process::Output};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
};

use crate::support::{KEY, PROGRAM, SECRET, Server, write_settings};

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).current_dir(folder).env_clear();
    command
}

async fn run(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = command(folder, args);
    command.envs(env.iter().copied()).kill_on_drop(true);
    command.output().await.unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn with_settings() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_settings(folder.path());
    folder
}

#[tokio::test]
async fn a_newcomer_is_there_in_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let init = run(folder.path(), &["init"], &[]).await;
    assert!(init.status.success(), "{init:?}");
    let said = text(&init.stdout);
    let password = said.trim().rsplit(' ').next().unwrap();
    let again = run(folder.path(), &["init"], &[]).await;
    assert!(!again.status.success(), "nothing is overwritten");
    let token = run(folder.path(), &["token", "bob", "--group", "staff"], &[]).await;
    let token = text(&token.stdout).trim().to_owned();

    let server = Server::start_in(folder, &[]).await;
    let login = serde_json::json!({ "user": "ada", "password": password });
    assert_eq!(server.ask("/login", None, &login).await.status, 200);
    let mut bob = server.stream(&token).await;
    bob.next_named("caught-up").await;
    let grpc = server.grpc.to_string();
    let env = [("GATEWAY__GRPC__LISTEN", &*grpc)];
    for (args, note) in [
        (&["push", "{\"n\":1}"][..], r#"{"n":1}"#),
        (&["push", "--group", "staff", "2"], "2"),
        (
            &["push", "--user", "bob", "--user", "eve", "--important", "3"],
            "3",
        ),
    ] {
        let pushed = run(server.folder.path(), args, &env).await;
        let said = text(&pushed.stdout);
        assert!(
            said.starts_with("Taken by 1 of 1 connections, at ~"),
            "{pushed:?}"
        );
        assert_eq!(bob.next_named("note").await.data, note);
    }
    let refused = run(server.folder.path(), &["push", "{"], &env).await;
    assert!(text(&refused.stderr).starts_with("InvalidArgument: json_data: not JSON"));
    let secrets = fs::read_to_string(server.folder.path().join("gateway.toml")).unwrap();
    assert!(!secrets.contains('<'), "secrets of its own");
}

#[tokio::test]
async fn a_password_is_hashed_as_the_file_of_users_has_it() {
    let folder = with_settings();
    let mut hashes = Vec::new();
    for _ in 0..2 {
        let mut hash = command(folder.path(), &["hash-password"]);
        hash.stdin(std::process::Stdio::piped());
        let mut hash: Child = hash.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut input = hash.stdin.take().unwrap();
        input.write_all("pässword\n".as_bytes()).await.unwrap();
        drop(input);
        let output = hash.wait_with_output().await.unwrap();
        hashes.push(text(&output.stdout).trim().to_owned());
    }
    assert!(hashes[0].starts_with("$argon2id$v=19$") && hashes[0] != hashes[1]);
    let users = format!("[\"b.o b\"]\npassword = '{}'\n", hashes[0]);
    fs::write(folder.path().join("users.toml"), users).unwrap();
    let server = Server::start_in(folder, &[]).await;
    let login = serde_json::json!({ "user": "b.o b", "password": "pässword" });
    assert_eq!(server.ask("/login", None, &login).await.status, 200);
}

#[tokio::test]
async fn settings_that_make_no_sense_are_told_at_the_start() {
    let folder = with_settings();
    for (name, value, said) in [
        ("HTTP__LISTEN", "nowhere", "http.listen"),
        (
            "HTTP__LISTEN",
            "192.0.2.1:80",
            "can't listen on 192.0.2.1:80: ",
        ),
        ("HTTP__PORT", "1", "port"),
        ("GRPC__LISTEN", "127.0.0.1:x", "grpc.listen"),
        ("GRPC__KEY", "short", "grpc.key: it has less than 32 bytes"),
        ("GRPC__TIMEOUT", "soon", "grpc.timeout"),
        (
            "TOKENS__SECRET",
            "short",
            "tokens.secret: it has less than 32 bytes",
        ),
        ("TOKENS__AUDIENCE", "", "tokens.audience: it is empty"),
        (
            "TOKENS__LASTS",
            "1ms",
            "tokens.lasts: it isn't from a second",
        ),
        ("REDIS", "http://127.0.0.1", "redis: not a URL"),
        ("USERS", "nobody.toml", "users: "),
        ("MONITOR", "0s", "monitor: it is zero"),
        ("DRAIN", "later", "drain"),
        ("IMPORTANT__MOST", "0", "important.most: it is zero"),
        ("IMPORTANT__AGE", "-1s", "important.age"),
        ("STREAMS__HEARTBEAT", "0s", "heartbeat must not be zero"),
        ("STREAMS__QUEUE_EVENTS", "many", "streams.queue_events"),
        (
            "STREAMS__HISTORY_EVENTS",
            "0",
            "streams.history_events: it is zero",
        ),
        (
            "STREAMS__OVERFLOW",
            "drop-oldest",
            "streams.overflow: what is dropped",
        ),
        ("STREAMS__LIMITS__CONECTIONS", "5", "conections"),
        ("IMPORTANT__AGE", "500000000000y", "important.age"),
        ("IMPORTANT__LARGEST", "5000000", "important.largest"),
        ("TOKENS", SECRET, "tokens: it isn't struct"),
        ("GRPC", KEY, "grpc: it isn't struct"),
        ("LOG", "5", "log"),
    ] {
        let name = format!("GATEWAY__{name}");
        let env = [(&*name, value), ("GATEWAY__HTTP__LISTEN", "127.0.0.1:0")];
        let env: Vec<_> = env.into_iter().rev().collect();
        let output = run(folder.path(), &[], &env).await;
        assert_eq!(output.status.code(), Some(1), "{name}={value}: {output:?}");
        let told = text(&output.stderr);
        assert!(told.contains(said), "{name}={value}: {told}");
        assert!(!told.contains(SECRET) && !told.contains(KEY), "{told}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_right_is_not_quoted() {
    let folder = with_settings();
    let path = folder.path().join("gateway.toml");
    let good = fs::read_to_string(&path).unwrap();
    for (what, with, said) in [
        (
            "key = \"",
            "key = ",
            "gateway.toml: TOML parse error at line",
        ),
        (
            "[tokens]",
            "[tokens",
            "gateway.toml: TOML parse error at line",
        ),
        ("secret = \"", "sekret = \"", "unknown field `sekret`"),
        ("[grpc]", "[grpcs]", "unknown field `grpcs`"),
        ("users =", "drain = \"x\"\nusers =", "drain"),
    ] {
        assert!(good.contains(what));
        fs::write(&path, good.replacen(what, with, 1)).unwrap();
        let output = run(folder.path(), &[], &[]).await;
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(told.contains(said), "{with}: {told}");
        assert!(!told.contains(SECRET) && !told.contains(KEY), "{told}");
    }
    let nothing = run(folder.path(), &["--config", "nothing.toml"], &[]).await;
    let told = text(&nothing.stderr);
    assert!(
        told.contains("nothing.toml") && told.contains("gateway init"),
        "{told}"
    );

    fs::write(&path, good).unwrap();
    let users = folder.path().join("users.toml");
    for (text_of_users, said) in [
        (
            "[ada]\npassword = \"secret-in-plain\"",
            "ada: the password isn't valid",
        ),
        (
            "[ada]\npassword = \"$scrypt$ln=15,r=8,p=1$c2FsdA$aGFzaA\"",
            "ada: the password isn't valid",
        ),
        ("[ada]\nsecret-in-plain", "users.toml: "),
        ("[ada]\npasword = \"x\"", "users.toml: "),
    ] {
        fs::write(&users, text_of_users).unwrap();
        let output = run(folder.path(), &[], &[]).await;
        let told = text(&output.stderr);
        assert!(told.contains(said) && !told.contains("in-plain"), "{told}");
    }
}

#[tokio::test]
async fn a_token_is_what_it_is_said_to_be() {
    let folder = with_settings();
    let args = [
        "token", "ada", "--group", "a", "--group", "b", "--lasts", "1h",
    ];
    let token = run(folder.path(), &args, &[]).await;
    let token = text(&token.stdout).trim().to_owned();
    let said = jsonwebtoken::dangerous::insecure_decode::<Value>(&token).unwrap();
    let claims = said.claims;
    assert_eq!(
        (&claims["sub"], &claims["aud"]),
        (&"ada".into(), &"push".into())
    );
    assert_eq!(claims["groups"], serde_json::json!(["a", "b"]));
    let lasts = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(lasts, 3_600);
    for args in [&["token", "a\nb"][..], &["token", "ada", "--group", ""]] {
        let refused = run(folder.path(), args, &[]).await;
        assert_eq!(refused.status.code(), Some(1), "{args:?}");
    }
}
