//! The same over TLS.

use std::{io::ErrorKind, net::SocketAddr, sync::Arc, time::Duration};

use crate::support::{App, PATIENCE, bind, get, get_text, http_2, rest, send};
use sse_conformance::eventually;
use sse_net::{
    Server,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// What both sides are made of.
struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    fn new() -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self {
            certificate: certified.cert.into(),
            key: certified.signing_key.into(),
        }
    }

    fn server(&self) -> ServerConfig {
        let chain = vec![self.certificate.clone()];
        let config = ServerConfig::builder().with_no_client_auth();
        config
            .with_single_cert(chain, self.key.clone_key())
            .unwrap()
    }

    async fn connect(&self, addr: SocketAddr, protocols: &[&str]) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots);
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        let socket = TcpStream::connect(addr).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connected = TlsConnector::from(Arc::new(config)).connect(name, socket);
        connected.await.unwrap()
    }
}

fn start(config: ServerConfig, set: impl FnOnce(Server) -> Server) -> (App, SocketAddr) {
    let (app, (server, addr)) = (App::new(), bind());
    let server = set(server.tls(Arc::new(config)));
    tokio::spawn(server.serve(app.clone()));
    (app, addr)
}

#[tokio::test]
async fn alpn_chooses_the_protocol() {
    let identity = Identity::new();
    let (_app, addr) = start(identity.server(), |server| server);

    let socket = identity.connect(addr, &["h2", "http/1.1"]).await;
    let (tcp, tls) = socket.get_ref();
    assert_eq!(tls.alpn_protocol(), Some(&b"h2"[..]));
    let expected = format!("{} {addr} true", tcp.local_addr().unwrap());
    let mut http_2 = http_2(socket).await;
    assert_eq!(get_text(&mut http_2, "/socket").await, expected);

    for protocols in [&["http/1.1"][..], &[]] {
        let mut socket = identity.connect(addr, protocols).await;
        let chosen = protocols.first().map(|protocol| protocol.as_bytes());
        assert_eq!(socket.get_ref().1.alpn_protocol(), chosen);
        let get = b"GET /1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        socket.write_all(get).await.unwrap();
        let mut response = String::new();
        // The end of the stream is announced: an unannounced one is an error.
        socket.read_to_string(&mut response).await.unwrap();
        assert!(response.ends_with("\r\n\r\nGET /1"), "{response}");
    }
}

#[tokio::test]
async fn protocols_of_ones_own_are_kept() {
    let identity = Identity::new();
    let mut config = identity.server();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (_app, addr) = start(config, |server| server);
    let socket = identity.connect(addr, &["h2", "http/1.1"]).await;
    assert_eq!(socket.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_keeps_the_handshake_waiting_is_dropped() {
    let (_app, addr) = start(Identity::new().server(), |server| server);
    // The second begins a record and goes no further.
    for sent in ["", "\u{16}\u{3}\u{1}"] {
        let (started, socket) = (Instant::now(), send(addr, sent).await);
        assert_eq!(rest(socket).await, "");
        assert_eq!(started.elapsed().as_secs(), 10, "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_after_the_handshake_is_dropped() {
    let identity = Identity::new();
    let (_app, addr) = start(identity.server(), |server| server);
    let started = Instant::now();
    let mut socket = identity.connect(addr, &[]).await;
    let read = tokio::time::timeout(60 * PATIENCE, socket.read_u8()).await;
    assert!(read.expect("it isn't closed").is_err());
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn what_is_not_tls_is_refused() {
    let (_app, addr) = start(Identity::new().server(), |server| server);
    let mut socket = send(addr, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = Vec::new();
    let ended = socket.read_to_end(&mut answer).await;
    let reset = ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
    // An alert (RFC 8446, 6), or its beginning if the close overtook it.
    assert!(reset || answer.first() == Some(&21), "{answer:?}");
}

#[tokio::test]
async fn closes_are_noticed() {
    let identity = Identity::new();
    let (app, addr) = start(identity.server(), |server| server);
    let open = async || {
        let mut socket = identity.connect(addr, &["http/1.1"]).await;
        let get = b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n";
        socket.write_all(get).await.unwrap();
        let mut byte = [0];
        while byte != *b"f" {
            socket.read_exact(&mut byte).await.unwrap();
        }
        socket
    };
    let (mut announced, fin, reset) = (open().await, open().await, open().await);
    let socket = identity.connect(addr, &["h2"]).await;
    let mut http_2 = http_2(socket).await;
    let stream_http_2 = get(&mut http_2, "/stream").await;
    assert_eq!(app.streams(), 4);

    announced.shutdown().await.unwrap();
    eventually("the close is noticed", PATIENCE, || app.streams() == 3).await;
    fin.into_inner().0.shutdown().await.unwrap();
    eventually("the FIN is noticed", PATIENCE, || app.streams() == 2).await;
    reset.get_ref().0.set_zero_linger().unwrap();
    drop(reset);
    eventually("the reset is noticed", PATIENCE, || app.streams() == 1).await;
    drop(stream_http_2);
    eventually("the stream's is noticed", PATIENCE, || app.streams() == 0).await;
    assert_eq!(get_text(&mut http_2, "/1").await, "GET /1");
}

#[tokio::test]
async fn a_server_that_stops_waits_for_no_handshake() {
    let identity = Identity::new();
    let (server, addr) = bind();
    let server = server
        .tls(Arc::new(identity.server()))
        .header_read_timeout(None)
        .shutdown_grace(Duration::from_secs(600));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(server.serve_until(App::new(), async { drop(stopped.await) }));
    let silent = TcpStream::connect(addr).await.unwrap();
    let mut idle = identity.connect(addr, &["http/1.1"]).await;
    idle.write_all(b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut response = [0; 15];
    idle.read_exact(&mut response).await.unwrap();
    stop.send(()).unwrap();
    let stopped = tokio::time::timeout(PATIENCE, server).await.unwrap();
    assert_eq!(stopped.unwrap().cut_off, 0);
    assert_eq!(rest(silent).await, "");
}
