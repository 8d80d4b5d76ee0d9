//! The test client against servers that send exactly the bytes written here.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use http::{StatusCode, Version};
use sse_conformance::{Dispatched, End, StreamClient, eventually, request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(10);
const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// A server's side of one connection, after the request's head.
struct Peer {
    socket: TcpStream,
    head: String,
}

impl Peer {
    async fn accept(listener: TcpListener) -> io::Result<Self> {
        let (mut socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        Ok(Self { socket, head })
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).await.unwrap();
    }

    async fn send_chunk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let size = format!("{:X}\r\n", bytes.len());
        self.send([size.as_bytes(), bytes, b"\r\n"].concat()).await;
    }

    /// Waits for the client to go away: 0 for a FIN, an error for a reset.
    async fn wait_for_close(&mut self) -> io::Result<usize> {
        self.socket.read(&mut [0; 16]).await
    }
}

/// Serves one connection with `script`.
async fn serve<F, T>(script: impl FnOnce(Peer) -> F + Send + 'static) -> (SocketAddr, JoinHandle<T>)
where
    F: Future<Output = T> + Send,
    T: Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let peer = timeout(LIMIT, Peer::accept(listener)).await.unwrap();
        timeout(LIMIT, script(peer.unwrap())).await.unwrap()
    });
    (addr, task)
}

/// Serves one connection with these bytes, and closes.
async fn serve_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> SocketAddr {
    serve(async move |mut peer: Peer| peer.send(bytes).await)
        .await
        .0
}

fn message(data: &str) -> Dispatched {
    Dispatched {
        event: "message".to_owned(),
        data: data.to_owned(),
        last_event_id: String::new(),
    }
}

#[tokio::test]
async fn a_chunk_is_no_event() {
    let (addr, server) = serve(async |mut peer: Peer| {
        peer.send(CHUNKED).await;
        peer.send_chunk("data: one\n\ndata: two\n\ndata: th").await;
        peer.send_chunk(b"ree \xf0\x9f").await;
        peer.send_chunk(b"\xa6\x80\r\n\r").await;
        peer.send_chunk("\ndata: four\n\n").await;
        peer.send("0\r\n\r\n").await;
    })
    .await;

    let mut client = StreamClient::open(addr, "/events").await;
    assert_eq!(
        (client.status(), client.version()),
        (StatusCode::OK, Version::HTTP_11)
    );
    assert_eq!(client.headers()["content-type"], "text/event-stream");
    for data in ["one", "two", "three \u{1f980}", "four"] {
        assert_eq!(client.next_event().await, message(data));
    }
    assert_eq!(client.ended().await, End::Clean);
    assert_eq!(
        client.try_next(LIMIT).await,
        None,
        "at once: the stream is over"
    );
    server.await.unwrap();
}

#[tokio::test]
async fn events_before_the_end_wait() {
    let addr = serve_bytes(format!("{CHUNKED}9\r\ndata: a\n\n\r\n0\r\n\r\n")).await;
    let mut client = StreamClient::open(addr, "/").await;
    assert_eq!(client.ended().await, End::Clean);
    assert_eq!(client.end(), Some(End::Clean));
    assert_eq!(client.next_event().await, message("a"));
}

#[tokio::test]
async fn a_cut_is_no_clean_end() {
    let addr = serve_bytes(format!("{CHUNKED}9\r\ndata: a\n\n\r\n")).await;
    let mut client = StreamClient::open(addr, "/").await;
    assert_eq!(client.ended().await, End::Cut);

    let (addr, _) = serve(async |mut peer: Peer| {
        peer.send(CHUNKED).await;
        peer.socket.set_zero_linger().unwrap();
    })
    .await;
    let mut client = StreamClient::open(addr, "/").await;
    let reset = io::ErrorKind::ConnectionReset;
    assert_eq!(client.ended().await, End::Failed(reset));

    let addr = serve_bytes(format!("{CHUNKED}data: a\n\n")).await;
    let mut client = StreamClient::open(addr, "/").await;
    assert!(matches!(client.ended().await, End::Malformed(_)));
}

#[tokio::test]
async fn http_10_ends_with_the_close() {
    let (addr, server) = serve(async |mut peer: Peer| {
        peer.send("HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: a\n\n")
            .await;
        peer.head
    })
    .await;
    let mut client = StreamClient::open(addr, "/old").http_10().await;
    assert_eq!(client.version(), Version::HTTP_10);
    assert_eq!(client.next_event().await, message("a"));
    assert_eq!(client.ended().await, End::Clean);
    let head = server.await.unwrap();
    assert!(head.starts_with("GET /old HTTP/1.0\r\n"), "{head}");
}

#[tokio::test]
async fn the_request_is_as_asked_for() {
    let (addr, server) = serve(async |mut peer: Peer| {
        let mut body = [0; 5];
        peer.socket.read_exact(&mut body).await.unwrap();
        peer.send("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
            .await;
        peer.send(CHUNKED).await;
        let mut more = [0; 4];
        peer.socket.read_exact(&mut more).await.unwrap();
        peer.send_chunk("data: a\n\n").await;
        (peer.head, body, more)
    })
    .await;
    let mut client = StreamClient::open(addr, "/in?x=1")
        .method("POST")
        .header("Accept", "*/*")
        .header("last-event-id", "größe")
        .body("12345")
        .keep_body()
        .await;
    client.send(b"more").await.unwrap();
    assert_eq!(client.next_event().await, message("a"));
    assert_eq!(client.body(), b"data: a\n\n");
    assert_eq!(client.body_len(), 9);
    let (head, body, more) = server.await.unwrap();
    assert_eq!(
        head,
        format!(
            "POST /in?x=1 HTTP/1.1\r\nhost: {addr}\r\ncontent-length: 5\r\n\
             accept: */*\r\nlast-event-id: größe\r\n\r\n"
        )
    );
    assert_eq!((&body, &more), (b"12345", b"more"));
}

#[tokio::test]
async fn goes_away_with_a_fin_or_a_reset() {
    let (sent, all_sent) = oneshot::channel::<()>();
    let (addr, server) = serve(async |mut peer: Peer| {
        peer.send(CHUNKED).await;
        peer.send_chunk([b':'; 64 * 1024]).await;
        sent.send(()).unwrap();
        peer.wait_for_close().await
    })
    .await;
    let client = StreamClient::open(addr, "/").await;
    all_sent.await.unwrap();
    drop(client);
    let closed = server.await.unwrap();
    assert_eq!(closed.ok(), Some(0), "a FIN, though bytes were unread");

    let (addr, server) = serve(async |mut peer: Peer| {
        peer.send(CHUNKED).await;
        peer.wait_for_close().await
    })
    .await;
    StreamClient::open(addr, "/").await.reset();
    let error = server.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn stops_reading_when_it_is_not_asked() {
    let (addr, server) = serve(async |mut peer: Peer| {
        let len = 16 << 20;
        peer.send(CHUNKED).await;
        peer.send(format!("{len:x}\r\ndata: ")).await;
        peer.send(vec![b'x'; len - 8]).await;
        peer.send("\n\n\r\n0\r\n\r\n").await;
    })
    .await;
    let mut client = StreamClient::open(addr, "/").receive_buffer(4096).await;
    assert_eq!(client.try_next(Duration::ZERO).await, None);
    assert!(!server.is_finished());
    assert_eq!(client.next_event().await.data.len(), (16 << 20) - 8);
    eventually("all is sent", LIMIT, || server.is_finished()).await;
}

#[tokio::test]
async fn try_next_waits_no_longer_than_told() {
    let (go, gone) = oneshot::channel::<()>();
    let (addr, _server) = serve(async |mut peer: Peer| {
        peer.send(CHUNKED).await;
        let _ = gone.await;
        peer.send_chunk(":\n\ndata: a\n\ndata: b\nevent: x\n\n")
            .await;
    })
    .await;
    let mut client = StreamClient::open(addr, "/").await;
    assert_eq!(client.try_next(Duration::from_millis(20)).await, None);
    go.send(()).unwrap();
    assert_eq!(client.next_named("x").await.data, "b");
    assert_eq!(client.stream().comments(), [""]);
}

#[tokio::test]
async fn requests_read_the_whole_response() {
    let json = "HTTP/1.1 201 Created\r\ncontent-length: 8\r\nx: y\r\n\r\n{\"a\": 1}";
    let (addr, server) = serve(async move |mut peer: Peer| {
        peer.send(json).await;
        peer.head
    })
    .await;
    let response = request(
        addr,
        "POST",
        "/notify",
        &[("x-key", "7")],
        r#"{"to":"ada"}"#,
    )
    .await;
    assert_eq!(
        (response.status, response.headers["x"].as_bytes()),
        (StatusCode::CREATED, &b"y"[..])
    );
    assert_eq!(
        response.json::<std::collections::BTreeMap<String, u8>>()["a"],
        1
    );
    let head = server.await.unwrap();
    for line in [
        "x-key: 7",
        "content-type: application/json",
        "content-length: 12",
    ] {
        assert!(head.contains(&format!("{line}\r\n")), "{head}");
    }

    let addr = serve_bytes(format!("{CHUNKED}2\r\nhi\r\n0\r\n\r\n")).await;
    assert_eq!(request(addr, "GET", "/", &[], "").await.text(), "hi");
    let addr = serve_bytes("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(request(addr, "DELETE", "/", &[], "").await.body, b"");
    let addr = serve_bytes("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n").await;
    assert_eq!(
        request(addr, "HEAD", "/", &[], "").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
#[should_panic(expected = "GET /: no event within 500ms, after 1 events and 13 bytes")]
async fn tells_that_nothing_came() {
    let (addr, _server) = serve(async |mut peer: Peer| {
        peer.send(CHUNKED).await;
        peer.send_chunk("data: a\n\ndata").await;
        peer.wait_for_close().await
    })
    .await;
    let mut client = StreamClient::open(addr, "/")
        .timeout(Duration::from_millis(500))
        .await;
    client.next_event().await;
    client.next_event().await;
}

#[tokio::test]
#[should_panic(
    expected = "no event \"b\" (but [\"message\"]), after 1 events and 9 bytes came a clean end"
)]
async fn tells_that_the_stream_ended() {
    let addr = serve_bytes(format!("{CHUNKED}9\r\ndata: a\n\n\r\n0\r\n\r\n")).await;
    StreamClient::open(addr, "/").await.next_named("b").await;
}

#[tokio::test]
#[should_panic(expected = "503 Service Unavailable with content type None isn't an event stream")]
async fn tells_what_is_no_stream() {
    let addr = serve_bytes("HTTP/1.1 503 Service Unavailable\r\n\r\ndata: a\n\n").await;
    StreamClient::open(addr, "/").await.next_event().await;
}

#[tokio::test]
async fn no_response_is_an_error() {
    let open = async |bytes: &'static str| {
        let addr = serve_bytes(bytes).await;
        StreamClient::open(addr, "/")
            .try_open()
            .await
            .map_err(|error| error.kind())
    };
    assert_eq!(open("").await.err(), Some(io::ErrorKind::UnexpectedEof));
    assert_eq!(
        open("SSH-2.0\r\n\r\n").await.err(),
        Some(io::ErrorKind::InvalidData)
    );

    let (addr, _server) = serve(async |mut peer: Peer| peer.wait_for_close().await).await;
    let short = StreamClient::open(addr, "/").timeout(Duration::from_millis(20));
    assert_eq!(
        short.try_open().await.err().map(|e| e.kind()),
        Some(io::ErrorKind::TimedOut)
    );
}

/// A thousand of them live in one process.
#[test]
fn a_waiting_client_is_small() {
    assert!(
        size_of::<StreamClient>() <= 768,
        "{}",
        size_of::<StreamClient>()
    );
}
