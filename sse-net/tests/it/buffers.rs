//! What is held for a client that reads nothing.

use std::{
    convert::Infallible,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::{Request, Response, body::Frame, body::Incoming, service::service_fn};
use sse_net::Server;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{sleep, timeout},
};

const STREAMS: u32 = 100;
const PIECE: usize = 1024;
/// The kernel takes some megabytes of a connection; more would be hyper's, 400 KiB a stream.
const MOST: usize = 16 * 1024 * 1024;
const NO_MORE_FOR: Duration = Duration::from_millis(500);

/// A frame of HTTP/2 (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![len[1], len[2], len[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A client that lets the server send as much as it will, and asks for streams (RFC 9113, 6).
fn greedy() -> Vec<u8> {
    const SETTINGS: u8 = 4;
    const WINDOW_UPDATE: u8 = 8;
    const HEADERS: u8 = 1;
    const END_STREAM_AND_HEADERS: u8 = 5;
    let most = 0x7fff_ffff_u32;
    let window = [&[0, 4][..], &most.to_be_bytes()].concat();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &window));
    bytes.extend(frame(WINDOW_UPDATE, 0, 0, &(most - 65_535).to_be_bytes()));
    for n in 0..STREAMS {
        // `:method: GET`, `:scheme: http`, `:path: /`, and `:authority: x` (RFC 7541, 6).
        let head = [0x82, 0x86, 0x84, 0x41, 1, b'x'];
        bytes.extend(frame(HEADERS, END_STREAM_AND_HEADERS, 2 * n + 1, &head));
    }
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_that_nobody_reads_are_not_held_by_the_server() {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let endless = service_fn(move |_: Request<Incoming>| {
        let count = Arc::clone(&count);
        let pieces = stream::repeat_with(move || {
            count.fetch_add(PIECE, Ordering::Relaxed);
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; PIECE])))
        });
        async { Ok::<_, Infallible>(Response::new(StreamBody::new(pieces))) }
    });
    let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let addr = server.local_addr().unwrap();
    tokio::spawn(server.serve(endless));
    let mut client = TcpStream::connect(addr).await.unwrap();
    client.write_all(&greedy()).await.unwrap();

    let mut before = 0;
    loop {
        let more = timeout(NO_MORE_FOR, async {
            while taken.load(Ordering::Relaxed) == before {
                sleep(Duration::from_millis(5)).await;
            }
        });
        if more.await.is_err() {
            break;
        }
        before = taken.load(Ordering::Relaxed);
        assert!(before < MOST, "{before} bytes were taken, and more");
    }
    assert!(before > 0, "nothing was asked for");
}
