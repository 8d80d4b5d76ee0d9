//! The command line: what the program says, and what it ends with.

use std::{collections::BTreeSet, fs, net::TcpListener, path::Path, time::Duration};

use crate::support::{Server, spawn};
use tokio::{process::Command, time::timeout};

/// The program, with nothing from the environment that the tests run in.
fn program(args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_notifications"));
    command.args(args).env_clear().envs(env.iter().copied());
    command
}

/// What the program that ends by itself leaves: its exit code, stdout and stderr.
async fn ended(args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = program(args, env);
    let output = command.kill_on_drop(true).output();
    let output = timeout(Duration::from_secs(10), output).await;
    let output = output
        .unwrap_or_else(|_| panic!("{args:?} {env:?} doesn't end"))
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// It fails with this one line on stderr.
async fn fails(args: &[&str], env: &[(&str, &str)], line: &str) {
    let expected = (Some(1), String::new(), format!("{line}\n"));
    assert_eq!(ended(args, env).await, expected, "{args:?} {env:?}");
}

/// It refuses its arguments, and says this first.
async fn refuses(args: &[&str], env: &[(&str, &str)], line: &str) {
    let (code, stdout, stderr) = ended(args, env).await;
    assert_eq!((code, &*stdout), (Some(2), ""), "{args:?} {env:?}");
    assert_eq!(stderr.lines().next(), Some(line), "{args:?} {env:?}");
}

/// The line that it says where it is.
async fn says(args: &[&str], env: &[(&str, &str)]) -> String {
    let (_process, mut lines) = spawn(&mut program(args, env));
    let line = timeout(Duration::from_secs(10), lines.next_line()).await;
    let line = line.unwrap_or_else(|_| panic!("{args:?} {env:?} says nothing"));
    line.unwrap().expect("a line")
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_in_one_line() {
    let server = Server::start(&[]).await;
    let port = server.addr.port().to_string();
    let line = format!("port {port} is taken on 127.0.0.1: choose another with --port");
    fails(&["--port", &port], &[], &line).await;
}

#[tokio::test]
async fn an_address_that_is_not_ours_is_said_in_one_line() {
    // 192.0.2.0/24 is for documentation (RFC 5737).
    let (code, stdout, stderr) = ended(&["--listen", "192.0.2.1"], &[]).await;
    assert_eq!((code, &*stdout), (Some(1), ""));
    let line = "can't listen on 192.0.2.1:8080: ";
    assert!(stderr.starts_with(line), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[tokio::test]
async fn list_names_every_example() {
    let (code, stdout, stderr) = ended(&["list"], &[]).await;
    assert_eq!((code, &*stderr), (Some(0), ""));
    let listed: BTreeSet<_> = stdout.lines().filter_map(|l| l.split(' ').next()).collect();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let there = fs::read_dir(examples).unwrap().map(|entry| entry.unwrap());
    let is_one = |file: &str, path: &Path| path.join(file).exists();
    let there = there.filter(|entry| {
        let path = entry.path();
        is_one("Cargo.toml", &path) || is_one("package.json", &path)
    });
    // What they share is none.
    let there = there.filter(|entry| entry.file_name() != "support");
    let there: Vec<_> = there
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(listed, there.iter().map(String::as_str).collect());
    assert!(
        stdout.starts_with("notifications      cargo run     "),
        "{stdout}"
    );
    let on_warp = "\nnotifications      cargo run -- --framework warp    ";
    assert!(stdout.contains(on_warp), "{stdout}");
}

#[tokio::test]
async fn the_environment_sets_what_no_argument_does() {
    let local = "The page is at http://127.0.0.1:";
    let other = "The page is at http://127.0.0.2:";
    let elsewhere = [("SSE_LISTEN", "127.0.0.2"), ("SSE_PORT", "0")];
    assert!(says(&["--port", "0"], &[]).await.starts_with(local));
    assert!(says(&[], &elsewhere).await.starts_with(other));
    let back = says(&["--listen", "127.0.0.1"], &elsewhere).await;
    assert!(back.starts_with(local), "{back}");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let line = format!("port {port} is taken on 127.0.0.1: choose another with --port");
    fails(&[], &[("SSE_PORT", &port)], &line).await;
    let free = says(&["--port", "0"], &[("SSE_PORT", &port)]).await;
    assert!(free.starts_with(local), "{free}");

    let on_warp = [("SSE_FRAMEWORK", "warp")];
    assert!(says(&["--port", "0"], &on_warp).await.starts_with(local));
    let line = "error: invalid value 'rocket' for '--framework <FRAMEWORK>'";
    refuses(&[], &[("SSE_FRAMEWORK", "rocket")], line).await;
    let heartbeat = [("SSE_HEARTBEAT", "0s")];
    fails(&[], &heartbeat, "heartbeat must not be zero").await;
    let reap_after = [("SSE_REAP_AFTER", "0s")];
    fails(&[], &reap_after, "reap_after must not be zero").await;
    let line = "error: invalid value 'x' for '--port <PORT>': invalid digit found in string";
    refuses(&[], &[("SSE_PORT", "x")], line).await;
    let line = "error: invalid value '-1' for '--history <EVENTS>': invalid digit found in string";
    refuses(&[], &[("SSE_HISTORY", "-1")], line).await;
}

#[tokio::test]
async fn settings_that_make_no_sense_are_said() {
    fails(&["--heartbeat", "0s"], &[], "heartbeat must not be zero").await;
    fails(&["--reap-after", "0ms"], &[], "reap_after must not be zero").await;
    for (args, line) in [
        (
            ["--framework", "Poem"],
            "error: invalid value 'Poem' for '--framework <FRAMEWORK>'",
        ),
        (
            ["--heartbeat", "soon"],
            "error: invalid value 'soon' for '--heartbeat <HEARTBEAT>': expected number at 0",
        ),
        (
            ["--heartbeat", "30"],
            "error: invalid value '30' for '--heartbeat <HEARTBEAT>': time unit needed, for example 30sec or 30ms",
        ),
        (
            ["--reap-after", ""],
            "error: invalid value '' for '--reap-after <REAP_AFTER>': value was empty",
        ),
        (
            ["--port", "70000"],
            "error: invalid value '70000' for '--port <PORT>': 70000 is not in 0..=65535",
        ),
        (
            ["--listen", "nowhere"],
            "error: invalid value 'nowhere' for '--listen <LISTEN>': invalid IP address syntax",
        ),
        (
            ["--port=0", "--nothing"],
            "error: unexpected argument '--nothing' found",
        ),
    ] {
        refuses(&args, &[], line).await;
    }
}
