#![doc = include_str!("docs/adapter.md")]
#![expect(
    clippy::future_not_send,
    reason = "a case has a thread of its own, and how a server is started needn't be `Send`"
)]

mod cases;
mod client;
mod rules;

use std::{fmt, net::SocketAddr, sync::Arc};

use sse_core::{Hub, LastEventId};

use crate::{
    Violation,
    suite::{self, BoxFuture, Make, suite},
};

/// What an adapter's extractor read of a request: the attribute that the server under test
/// attaches to each connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What the client says that it saw last.
    pub last_event_id: Option<LastEventId>,
    /// The address at the other end of the socket.
    pub peer_addr: Option<SocketAddr>,
}

/// How a server over a hub is started.
type Serve = dyn Fn(Hub) -> BoxFuture<SocketAddr> + Send + Sync;

/// What a case gets: it starts a server over a hub of its own.
pub struct Server(Arc<Serve>);

impl Server {
    async fn start(&self, hub: &Hub) -> SocketAddr {
        (self.0)(hub.clone()).await
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

suite! {
    of "Adapter" for Server;
    /// Stamps one test for each case of the [suite for an adapter](crate::adapter) into the
    /// module that it is used in.
    ///
    /// It takes a function or closure that starts a server over a hub and returns its address. It
    /// is called within a tokio runtime of several threads, with whose end the server may end.
    macro adapter_tests($serve:expr) => adapter::check { $serve };
    Threads {
        the_first_byte_leaves_at_once: R1;
        the_first_byte_needs_no_opening_event: R1;
        each_version_of_http_has_the_same_head: R2;
        each_event_leaves_within_50_ms: R3;
        an_event_over_http_2_leaves_within_50_ms: R3;
        nothing_can_be_injected: R4;
        the_body_is_the_cores_bytes: R4;
        the_body_over_http_2_is_the_cores_bytes: R4;
        a_thousand_events_come_in_order: R4;
        a_fin_on_an_idle_stream_is_noticed: R5;
        a_fin_on_a_busy_stream_is_noticed: R5;
        a_reset_on_an_idle_stream_is_noticed: R5;
        a_reset_on_a_busy_stream_is_noticed: R5;
        a_half_close_of_an_idle_stream_is_noticed: R5;
        a_half_close_of_a_busy_stream_is_noticed: R5;
        a_fin_after_a_body_is_noticed_by_a_write: R5;
        a_reset_stream_of_http_2_is_noticed: R5;
        a_closed_connection_of_http_2_is_noticed: R5;
        get_opens_a_stream: R6;
        post_opens_a_stream: R6;
        post_over_http_1_0_opens_a_stream: R6;
        post_over_http_2_opens_a_stream: R6;
        http_1_0_opens_a_stream: R6;
        http_2_opens_a_stream: R6;
        head_answers_the_head: R7;
        head_over_http_2_answers_the_head: R7;
        head_registers_nothing: R7;
        the_last_event_id_comes_from_the_header: R8;
        the_last_event_id_comes_from_the_query: R8;
        a_name_that_is_not_valid_is_a_400: R9;
        a_name_of_any_kind_arrives: R9;
        who_stops_reading_is_not_read_for: R10;
        who_stops_reading_over_http_2_is_not_read_for: R10;
        a_disconnect_ends_with_the_last_chunk: R11;
        a_disconnect_ends_a_stream_of_http_2: R11;
        what_waits_comes_before_the_end: R11;
        a_shutdown_ends_every_stream: R11;
        the_peers_address_is_known: R12;
        the_address_behind_a_trusted_proxy_is_known: R12;
        a_refusal_is_an_event: R13;
        a_refusal_of_others_is_a_status: R13;
        who_was_ended_for_good_gets_a_204: R14;
    }
}

/// Runs one case; what [`adapter_tests!`](crate::adapter_tests) calls.
///
/// # Panics
///
/// The adapter breaks the rule, which the message names; or there is no such case.
#[track_caller]
pub fn check<F>(case: &str, serve: impl Fn(Hub) -> F + Send + Sync + 'static)
where
    F: Future<Output = SocketAddr> + 'static,
{
    suite::check_case(CASES, case, boxed(serve));
}

/// Runs every case and returns what was found.
pub fn violations<F>(serve: impl Fn(Hub) -> F + Send + Sync + 'static) -> Vec<Violation>
where
    F: Future<Output = SocketAddr> + 'static,
{
    suite::violations_of(CASES, &boxed(serve))
}

fn boxed<F>(serve: impl Fn(Hub) -> F + Send + Sync + 'static) -> Make<Server>
where
    F: Future<Output = SocketAddr> + 'static,
{
    let serve: Arc<Serve> = Arc::new(move |hub| Box::pin(serve(hub)));
    Arc::new(move || {
        let server = Server(Arc::clone(&serve));
        Box::pin(async { server })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_rule_has_a_case() {
        suite::assert_covers(include_str!("docs/adapter.md"), rules::ALL, CASES);
    }
}
