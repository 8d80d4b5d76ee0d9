//! A proxy as a user starts it.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{self, Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{
    PATIENCE,
    client::{Entrance, Wire},
};

/// Runs a proxy, says which process it is, and ends it once the standard input ends: the test holds the
/// other end, and lets go of it however it ends.
const UNTIL_THE_TEST_ENDS: &str =
    " >proxy.log 2>&1 & echo $!; read -r _; kill -$AT_ONCE $!; wait $!";

/// How its certificate is made, as `README.md` says.
pub(crate) const CERTIFICATE: &str = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
    -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=CA:FALSE \
    -keyout localhost.pem.key -out localhost.pem";

/// Which proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Haproxy,
    Caddy,
}

impl Kind {
    /// How it is started, as `README.md` says.
    pub(crate) const fn command(self) -> &'static str {
        match self {
            Self::Nginx => "nginx -p . -c nginx.conf -g 'daemon off;'",
            Self::Haproxy => "haproxy -f haproxy.cfg",
            Self::Caddy => "caddy run --config Caddyfile --adapter caddyfile",
        }
    }

    const fn file(self) -> &'static str {
        match self {
            Self::Nginx => "nginx.conf",
            Self::Haproxy => "haproxy.cfg",
            Self::Caddy => "Caddyfile",
        }
    }

    /// What ends it at once; nginx's workers, too.
    const fn at_once(self) -> &'static str {
        match self {
            Self::Nginx => "TERM",
            Self::Haproxy | Self::Caddy => "KILL",
        }
    }

    /// What tells it to end once its requests are answered.
    const fn graceful(self) -> Signal {
        match self {
            Self::Nginx => Signal::QUIT,
            Self::Haproxy => Signal::USR1,
            Self::Caddy => Signal::TERM,
        }
    }
}

/// A running proxy; it ends with the test.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Where it serves HTTP/1.1.
    pub(crate) plain: SocketAddr,
    /// Where it serves HTTP/1.1 and HTTP/2 over TLS.
    pub(crate) secure: SocketAddr,
    /// What trusts its certificate.
    tls: ClientConfig,
    kind: Kind,
    pid: Pid,
    shell: Child,
    folder: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

impl Proxy {
    /// Starts it in front of the demo that is at `demo`, or will be. Its file is as it is committed, but for
    /// the ports and each text of `changes`.
    pub(crate) async fn start(kind: Kind, demo: SocketAddr, changes: &[(&str, &str)]) -> Self {
        let [plain, secure] = [(); 2].map(|()| free_addr());
        let folder = tempfile::tempdir().unwrap();
        // The workers of an nginx that root starts are somebody else.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let tls = certificate(folder.path());
        let mut config = committed(kind.file());
        let ports = [demo, plain, secure].map(|addr| format!(":{}", addr.port()));
        let ports = [":8080", ":8000", ":8443"].into_iter().zip(&ports);
        let ports = ports.map(|(committed, port)| (committed, &**port));
        for (committed, text) in ports.chain(changes.iter().copied()) {
            assert!(
                config.contains(committed),
                "{committed:?} isn't in {}",
                kind.file()
            );
            config = config.replace(committed, text);
        }
        fs::write(folder.path().join(kind.file()), config).unwrap();
        let (shell, pid) = spawn(kind, folder.path());
        let proxy = Self {
            plain,
            secure,
            tls,
            kind,
            pid,
            shell,
            folder,
        };
        proxy.listens().await;
        proxy
    }

    async fn listens(&self) {
        let connect = async {
            for addr in [self.plain, self.secure] {
                while TcpStream::connect(addr).await.is_err() {
                    sleep(Duration::from_millis(10)).await;
                }
            }
        };
        if timeout(PATIENCE, connect).await.is_err() {
            let log = fs::read_to_string(self.folder.path().join("proxy.log"));
            panic!("{:?} doesn't listen: {log:?}", self.kind);
        }
    }

    /// Where a client speaks this to it.
    pub(crate) fn entrance(&self, wire: Wire) -> Entrance {
        let addr = match wire {
            Wire::Http1 => self.plain,
            Wire::Http1Tls | Wire::Http2Tls => self.secure,
        };
        let tls = self.tls.clone();
        Entrance { addr, wire, tls }
    }

    /// Tells it to end once its requests are answered.
    pub(crate) fn end_gracefully(&self) {
        kill_process(self.pid, self.kind.graceful()).unwrap();
    }
}

/// A file of `examples/proxy`.
pub(crate) fn committed(file: &str) -> String {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(examples.join("proxy").join(file)).unwrap()
}

fn spawn(kind: Kind, folder: &Path) -> (Child, Pid) {
    let command = kind.command();
    is_there(command);
    let mut shell = Command::new("sh")
        .arg("-c")
        .arg(format!("{command}{UNTIL_THE_TEST_ENDS}"))
        .env("PATH", path())
        .env("AT_ONCE", kind.at_once())
        .current_dir(folder)
        // Where Caddy leaves what it has no use for here.
        .env("HOME", folder)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = shell.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let pid = line.trim_end().parse().unwrap();
    (shell, Pid::from_raw(pid).unwrap())
}

/// Where programs are: Debian has some where only root looks.
fn path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin");
    path
}

/// Fails unless the program of a command is there.
fn is_there(command: &str) {
    let (name, _) = command.split_once(' ').unwrap();
    let is_there = env::split_paths(&path()).any(|folder| folder.join(name).is_file());
    assert!(is_there, "there is no {name}; run `cargo xtask setup`");
}

/// An address on which nobody listens, nor anybody whom the system gives a port.
pub(crate) fn free_addr() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Programs that run at once begin at different ones.
        let number = process::id() * 101 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(10_000 + number % 20_000).unwrap();
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener.local_addr().unwrap();
        }
    }
}

/// Leaves a certificate in the folder, as `README.md` says.
fn certificate(folder: &Path) -> ClientConfig {
    let mut openssl = Command::new("sh");
    let made = openssl.args(["-c", CERTIFICATE]).current_dir(folder);
    let made = made.output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let made = CertificateDer::from_pem_file(folder.join("localhost.pem")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made).unwrap();
    ClientConfig::builder()
        .with_root_certificates(Arc::new(roots))
        .with_no_client_auth()
}
