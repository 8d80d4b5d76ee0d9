//! A call that is under way when the gateway is told to end.

use bytes::{BufMut, Bytes, BytesMut};
use gateway::proto::BroadcastRequest;
use h2::{SendStream, client::ResponseFuture};
use http::{HeaderMap, Request};
use prost::Message;
use tokio::net::TcpStream;
use tonic::Code;

use crate::support::{KEY, Server};

/// Begins a broadcast, whose message is still to come.
async fn begin(server: &Server) -> (ResponseFuture, SendStream<Bytes>) {
    let socket = TcpStream::connect(server.grpc).await.unwrap();
    let (client, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    let request = Request::post(format!("http://{}/gateway.v1.Push/Broadcast", server.grpc))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {KEY}"))
        .body(())
        .unwrap();
    let mut client = client.ready().await.unwrap();
    client.send_request(request, false).unwrap()
}

/// A message as gRPC has it on the wire: not compressed, and how long.
fn framed(message: &impl Message) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.encoded_len()).unwrap());
    message.encode(&mut framed).unwrap();
    framed.freeze()
}

fn code(headers: &HeaderMap) -> Option<Code> {
    let status = headers.get("grpc-status")?;
    Some(Code::from_bytes(status.as_bytes()))
}

#[tokio::test]
async fn it_is_refused_once_streams_have_begun_to_end() {
    let settings = [("DRAIN", "6s"), ("GRPC__TIMEOUT", "20s")];
    let server = Server::with(&settings).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = server.open("ada").await;
        stream.next_named("caught-up").await;
        streams.push(stream);
    }
    let (answer, mut call) = begin(&server).await;
    let ending = tokio::spawn(server.end());
    let sent_away = streams.iter_mut().map(|stream| {
        Box::pin(async {
            stream.next_named("reconnect").await;
        })
    });
    futures_util::future::select_all(sent_away).await;
    let request = BroadcastRequest {
        event: "note".to_owned(),
        json_data: "1".to_owned(),
        ..BroadcastRequest::default()
    };
    call.send_data(framed(&request), true).unwrap();
    let answer = answer.await.unwrap();
    let told = match code(answer.headers()) {
        Some(code) => code,
        None => {
            let mut body = answer.into_body();
            while let Some(data) = body.data().await {
                drop(data.unwrap());
            }
            code(&body.trailers().await.unwrap().unwrap()).unwrap()
        }
    };
    assert_eq!(told, Code::Unavailable);
    ending.await.unwrap();
}
