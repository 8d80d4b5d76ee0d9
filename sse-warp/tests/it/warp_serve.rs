//! What is `warp::serve`'s own.

use std::{io, sync::mpsc, time::Duration};

use crate::support::{Way, listen, stream};
use sse_conformance::{End, StreamClient, eventually};
use sse_core::{Drain, Event, Hub, Target};
use tokio::{net::TcpStream, sync::oneshot};
use tracing_subscriber::EnvFilter;

#[tokio::test]
async fn a_graceful_shutdown_waits_for_the_streams() {
    let hub = Hub::builder().build().unwrap();
    let (listener, addr) = listen().await;
    let (stop, stopped) = oneshot::channel();
    let server = warp::serve(stream(&hub)).incoming(listener);
    let server = server.graceful(async { stopped.await.unwrap() });
    let server = tokio::spawn(server.run());
    let mut client = StreamClient::open(addr, "/stream/ada").await;
    client.next_named("connected").await;
    stop.send(()).unwrap();
    while TcpStream::connect(addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    hub.send_to("ada", Event::text("still served"))
        .await
        .unwrap();
    assert_eq!(client.next_event().await.data, "still served");
    assert!(!server.is_finished());
    assert_eq!(hub.disconnect(&Target::everybody()), 1);
    assert_eq!(client.ended().await, End::Clean);
    server.await.unwrap();
}

/// Alone it would wait for ever: the streams have to be ended first.
#[tokio::test]
async fn a_graceful_shutdown_finishes_by_itself_behind_the_hubs() {
    let hub = Hub::builder().build().unwrap();
    let (listener, addr) = listen().await;
    let (stop, stopped) = oneshot::channel();
    let server = warp::serve(stream(&hub)).incoming(listener);
    let server = server.graceful({
        let hub = hub.clone();
        async move {
            stopped.await.unwrap();
            let drain = Drain {
                over: Duration::from_millis(200),
                ..Drain::default()
            };
            assert_eq!(hub.shutdown(drain).await.clean, 20);
        }
    });
    let server = tokio::spawn(server.run());
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = StreamClient::open(addr, "/stream/ada").await;
        client.next_named("connected").await;
        clients.push(client);
    }
    stop.send(()).unwrap();
    for client in &mut clients {
        client.next_named("reconnect").await;
        assert_eq!(client.ended().await, End::Clean);
    }
    let finished = tokio::time::timeout(Duration::from_secs(5), server).await;
    finished.expect("it finishes by itself").unwrap();
}

/// Hands on what is logged, a line at a time.
#[derive(Clone)]
struct Lines(mpsc::Sender<String>);

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let sent = self.0.send(String::from_utf8_lossy(line).into_owned());
        sent.map_err(io::Error::other)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that are logged when a client closes its stream.
async fn logged_at_a_close(way: Way, filter: &str) -> Vec<String> {
    let (lines, logged) = mpsc::channel();
    let lines = Lines(lines);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(move || lines.clone());
    let _default = tracing::subscriber::set_default(subscriber.finish());
    let hub = Hub::builder().build().unwrap();
    let addr = way.serve(stream(&hub)).await;
    let mut client = StreamClient::open(addr, "/stream/ada").await;
    client.next_named("connected").await;
    drop(client);
    eventually("it is gone", Duration::from_secs(1), || {
        hub.info().connections == 0
    })
    .await;
    logged.try_iter().collect()
}

#[tokio::test]
async fn a_close_in_the_midst_of_a_stream_is_logged_as_an_error() {
    for way in Way::ALL {
        let logged = logged_at_a_close(way, "error").await;
        match (way, &*logged) {
            (Way::WarpServe, [line]) => {
                assert!(line.contains("server connection error"), "{line}");
            }
            (Way::SseNet, []) => {}
            _ => panic!("{way:?}: {logged:?}"),
        }
        let silenced = logged_at_a_close(way, "error,warp::server=off").await;
        assert!(silenced.is_empty(), "{way:?}: {silenced:?}");
    }
}
