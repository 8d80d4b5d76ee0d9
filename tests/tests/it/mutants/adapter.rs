//! Adapters that break a rule each: one straight on hyper, with one thing done wrong.

mod body;
mod socket;

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    thread,
};

use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use sse_conformance::adapter::{Seen, violations};
use sse_core::{Hub, StreamRequest};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

use self::{
    body::{Body, HELD, LATE, faulty},
    socket::Socket,
};
use crate::mutants::report::{assert_caught, faults};

faults! {
    /// What an adapter does wrong.
    enum Fault;
    HoldsTheHead: R1 the_first_byte_leaves_at_once;
    HoldsTheHeadAMoment: R1 the_first_byte_leaves_at_once;
    HoldsTheFirstByte: R1 the_first_byte_leaves_at_once;
    HoldsTheFirstByteAMoment: R1 the_first_byte_leaves_at_once;
    SkipsABlankFirstByte: R1 the_first_byte_needs_no_opening_event
        + the_body_is_the_cores_bytes
        + the_body_over_http_2_is_the_cores_bytes;
    ForgetsAHeader: R2 each_version_of_http_has_the_same_head
        + a_refusal_is_an_event
        + head_answers_the_head
        + head_over_http_2_answers_the_head
        + post_opens_a_stream
        + post_over_http_1_0_opens_a_stream
        + post_over_http_2_opens_a_stream;
    ForgetsAHeaderOfPost: R6 post_opens_a_stream
        + post_over_http_1_0_opens_a_stream
        + post_over_http_2_opens_a_stream;
    SetsConnection: R2 each_version_of_http_has_the_same_head
        + a_refusal_is_an_event
        + head_answers_the_head
        + post_opens_a_stream
        + post_over_http_1_0_opens_a_stream;
    HoldsEvents: R3 each_event_leaves_within_50_ms;
    HoldsEveryThirdEvent: R3 each_event_leaves_within_50_ms;
    HoldsEventsOverHttp2: R3 an_event_over_http_2_leaves_within_50_ms;
    WritesARawNewline: R4 nothing_can_be_injected
        + a_refusal_is_an_event
        + the_body_is_the_cores_bytes
        + the_body_over_http_2_is_the_cores_bytes;
    LeavesCommentsOut: R4 the_body_is_the_cores_bytes
        + the_body_over_http_2_is_the_cores_bytes;
    SkipsOne: R4 a_thousand_events_come_in_order;
    DeliversTwice: R4 a_thousand_events_come_in_order;
    Reorders: R4 a_thousand_events_come_in_order;
    KeepsIdleStreams: R5 a_fin_on_an_idle_stream_is_noticed
        + a_closed_connection_of_http_2_is_noticed
        + a_half_close_of_an_idle_stream_is_noticed
        + a_reset_on_an_idle_stream_is_noticed
        + a_reset_stream_of_http_2_is_noticed;
    KeepsBusyStreams: R5 a_fin_on_a_busy_stream_is_noticed
        + a_closed_connection_of_http_2_is_noticed
        + a_fin_after_a_body_is_noticed_by_a_write
        + a_fin_on_an_idle_stream_is_noticed
        + a_half_close_of_a_busy_stream_is_noticed
        + a_half_close_of_an_idle_stream_is_noticed
        + a_reset_on_a_busy_stream_is_noticed
        + a_reset_on_an_idle_stream_is_noticed
        + a_reset_stream_of_http_2_is_noticed;
    WaitsForBothHalves: R5 a_half_close_of_an_idle_stream_is_noticed
        + a_fin_on_an_idle_stream_is_noticed
        + a_half_close_of_a_busy_stream_is_noticed
        + a_reset_on_an_idle_stream_is_noticed;
    LooksOnlyWhileIdle: R5 a_half_close_of_a_busy_stream_is_noticed;
    DropsGroups: R6 get_opens_a_stream
        + a_name_of_any_kind_arrives
        + a_name_that_is_not_valid_is_a_400
        + http_1_0_opens_a_stream
        + http_2_opens_a_stream;
    RefusesPost: R6 post_opens_a_stream
        + a_fin_after_a_body_is_noticed_by_a_write
        + post_over_http_1_0_opens_a_stream
        + post_over_http_2_opens_a_stream;
    RefusesPostOverHttp10: R6 post_over_http_1_0_opens_a_stream;
    RefusesPostOverHttp2: R6 post_over_http_2_opens_a_stream;
    RefusesHttp10: R6 http_1_0_opens_a_stream
        + a_refusal_is_an_event
        + a_shutdown_ends_every_stream
        + each_version_of_http_has_the_same_head
        + post_over_http_1_0_opens_a_stream
        + the_address_behind_a_trusted_proxy_is_known
        + the_first_byte_leaves_at_once
        + the_first_byte_needs_no_opening_event
        + the_last_event_id_comes_from_the_header
        + the_last_event_id_comes_from_the_query
        + the_peers_address_is_known
        + who_was_ended_for_good_gets_a_204;
    SpeaksNoHttp2: R6 http_2_opens_a_stream
        + a_closed_connection_of_http_2_is_noticed
        + a_disconnect_ends_a_stream_of_http_2
        + a_refusal_is_an_event
        + a_reset_stream_of_http_2_is_noticed
        + a_shutdown_ends_every_stream
        + an_event_over_http_2_leaves_within_50_ms
        + each_version_of_http_has_the_same_head
        + head_over_http_2_answers_the_head
        + head_registers_nothing
        + post_over_http_2_opens_a_stream
        + the_address_behind_a_trusted_proxy_is_known
        + the_body_over_http_2_is_the_cores_bytes
        + the_first_byte_leaves_at_once
        + the_first_byte_needs_no_opening_event
        + the_last_event_id_comes_from_the_header
        + the_last_event_id_comes_from_the_query
        + the_peers_address_is_known
        + what_waits_comes_before_the_end
        + who_stops_reading_over_http_2_is_not_read_for
        + who_was_ended_for_good_gets_a_204;
    AnswersHeadBare: R7 head_answers_the_head
        + head_over_http_2_answers_the_head;
    RefusesHeadOverHttp2: R7 head_over_http_2_answers_the_head;
    SendsABodyForHeadOverHttp2: R7 head_over_http_2_answers_the_head;
    OpensOnHead: R7 head_registers_nothing
        + head_over_http_2_answers_the_head;
    OpensOnHeadForAWhile: R7 head_registers_nothing;
    IgnoresTheHeaderOverHttp2: R8 the_last_event_id_comes_from_the_header;
    IgnoresTheHeader: R8 the_last_event_id_comes_from_the_header;
    IgnoresTheQuery: R8 the_last_event_id_comes_from_the_query;
    CleansNames: R9 a_name_that_is_not_valid_is_a_400;
    RefusesInPlainText: R9 a_name_that_is_not_valid_is_a_400
        + a_refusal_of_others_is_a_status;
    DecodesTwice: R9 a_name_of_any_kind_arrives;
    ReadsAhead: R10 who_stops_reading_is_not_read_for;
    ReadsAheadOverHttp2: R10 who_stops_reading_over_http_2_is_not_read_for;
    CutsOff: R11 a_disconnect_ends_with_the_last_chunk
        + a_disconnect_ends_a_stream_of_http_2
        + a_refusal_is_an_event
        + a_shutdown_ends_every_stream
        + the_address_behind_a_trusted_proxy_is_known
        + what_waits_comes_before_the_end
        + who_was_ended_for_good_gets_a_204;
    EndsAtOnce: R11 what_waits_comes_before_the_end;
    TellsNoAddressOverHttp2: R12 the_peers_address_is_known
        + the_address_behind_a_trusted_proxy_is_known;
    TellsItsOwnAddress: R12 the_peers_address_is_known;
    ForgetsWhatProxiesSay: R12 the_address_behind_a_trusted_proxy_is_known;
    RefusesByStatus: R13 a_refusal_is_an_event
        + a_shutdown_ends_every_stream
        + the_address_behind_a_trusted_proxy_is_known;
    RefusesAllByEvent: R13 a_refusal_of_others_is_a_status;
    ForgetsRetryAfter: R13 a_refusal_of_others_is_a_status;
    EndsForGoodWithA404: R14 who_was_ended_for_good_gets_a_204;
}

use Fault::*;

/// Serves streams over `hub`, with `fault`.
async fn serve(hub: Hub, fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (socket, peer) = listener.accept().await.unwrap();
            let seen_addr = if fault == TellsItsOwnAddress {
                addr
            } else {
                peer
            };
            tokio::spawn(connection(socket, seen_addr, hub.clone(), fault));
        }
    });
    addr
}

async fn connection(socket: TcpStream, peer: SocketAddr, hub: Hub, fault: Fault) {
    socket.set_nodelay(true).unwrap();
    let service = service_fn(|request| answer(request, peer, hub.clone(), fault));
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().half_close(fault == WaitsForBothHalves);
    if fault == SpeaksNoHttp2 {
        server = server.http1_only();
    }
    // However it ends, its streams end with it.
    drop(
        server
            .serve_connection(TokioIo::new(Socket::new(socket, fault)), service)
            .await,
    );
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    hub: Hub,
    fault: Fault,
) -> Result<Response<Body>, Infallible> {
    let (method, version) = (request.method().clone(), request.version());
    match (fault, &method, version) {
        (RefusesPost, &Method::POST, _)
        | (RefusesPostOverHttp10, &Method::POST, Version::HTTP_10)
        | (RefusesPostOverHttp2, &Method::POST, Version::HTTP_2)
        | (RefusesHeadOverHttp2, &Method::HEAD, Version::HTTP_2) => {
            return Ok(status(StatusCode::METHOD_NOT_ALLOWED));
        }
        (RefusesHttp10, _, Version::HTTP_10) => {
            return Ok(status(StatusCode::HTTP_VERSION_NOT_SUPPORTED));
        }
        (AnswersHeadBare, &Method::HEAD, _) => return Ok(status(StatusCode::OK)),
        (HoldsTheHead, _, Version::HTTP_10) => sleep(HELD).await,
        (HoldsTheHeadAMoment, _, Version::HTTP_11) => sleep(LATE).await,
        _ => {}
    }
    let response = open(&request, peer, &hub, fault).await;
    let refused = response.status() != StatusCode::OK;
    if fault == EndsForGoodWithA404 && response.status() == StatusCode::NO_CONTENT {
        return Ok(status(StatusCode::NOT_FOUND));
    }
    let whole = refused || method == Method::HEAD;
    let mut response = response.map(|body| {
        if !refused && whole && fault == OpensOnHeadForAWhile {
            tokio::spawn(async move {
                sleep(LATE).await;
                drop(body);
            });
            return Empty::new().map_err(|never| match never {}).boxed_unsync();
        }
        if method == Method::HEAD
            && version == Version::HTTP_2
            && fault == SendsABodyForHeadOverHttp2
        {
            let body = Full::from("\n").map_err(|never| match never {});
            return body.boxed_unsync();
        }
        if whole {
            body.map_err(|never| match never {}).boxed_unsync()
        } else {
            faulty(body, hub, version, fault)
        }
    });
    let headers = response.headers_mut();
    match fault {
        ForgetsAHeader => drop(headers.remove("x-accel-buffering")),
        ForgetsAHeaderOfPost if method == Method::POST => drop(headers.remove("cache-control")),
        SetsConnection => {
            drop(headers.insert("connection", HeaderValue::from_static("keep-alive")))
        }
        ForgetsRetryAfter => drop(headers.remove("retry-after")),
        RefusesInPlainText if refused => {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
        _ => {}
    }
    Ok(response)
}

/// Opens the stream that the query asks for.
async fn open(
    request: &Request<Incoming>,
    peer: SocketAddr,
    hub: &Hub,
    fault: Fault,
) -> Response<sse_core::StreamBody> {
    let opens_on_head = matches!(fault, OpensOnHead | OpensOnHeadForAWhile);
    let get_for_head = opens_on_head && request.method() == Method::HEAD;
    let method = if get_for_head {
        &Method::GET
    } else {
        request.method()
    };
    let query = request.uri().query().unwrap_or_default();
    let mut headers = request.headers().clone();
    let over_http_2 = request.version() == Version::HTTP_2;
    if fault == IgnoresTheHeader || (fault == IgnoresTheHeaderOverHttp2 && over_http_2) {
        headers.remove("last-event-id");
    }
    match fault {
        ForgetsWhatProxiesSay => drop(headers.remove("x-forwarded-for")),
        RefusesByStatus => drop(headers.remove("accept")),
        RefusesAllByEvent => {
            headers.insert("accept", HeaderValue::from_static("text/event-stream"));
        }
        _ => {}
    }
    let seen_query = (fault != IgnoresTheQuery).then_some(query);
    let told = !(fault == TellsNoAddressOverHttp2 && over_http_2);
    let peer = told.then_some(peer);
    let stream = StreamRequest::new(method, &headers, seen_query).from_peer(peer);
    let seen = Seen {
        last_event_id: stream.last_event_id().cloned(),
        peer_addr: stream.peer_addr(),
    };
    let names = |wanted: &'static str| {
        let pairs = form_urlencoded::parse(query.as_bytes());
        let wanted = pairs.filter(move |(name, _)| name == wanted);
        wanted.map(|(_, value)| name(&value, fault))
    };
    let client = names("client").next().unwrap_or_default();
    let stream = stream.client(client).attribute(seen);
    let groups = names("group").filter(|_| fault != DropsGroups);
    groups
        .fold(stream, |stream, group| stream.group(group))
        .open(hub)
        .await
}

fn name(text: &str, fault: Fault) -> String {
    match fault {
        CleansNames => {
            let clean = text
                .chars()
                .filter(|c| !c.is_control())
                .take(256)
                .collect::<String>();
            if clean.is_empty() {
                "nobody".to_owned()
            } else {
                clean
            }
        }
        DecodesTwice => form_urlencoded::parse(format!("={text}").as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default(),
        _ => text.to_owned(),
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let body = Empty::new().map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response
}

#[test]
fn every_broken_adapter_is_found_out() {
    let run = |fault| violations(move |hub| serve(hub, fault));
    let rules = [
        "R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10", "R11", "R12", "R13", "R14",
    ];
    // Its cases measure times over sockets.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    assert_caught("Adapter", Fault::ALL, cores, run, &rules);
}
