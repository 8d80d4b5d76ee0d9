//! The `EventSource` of a real Chromium.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sse_browser::{Browser, BrowserKind};
use tokio::time::sleep;

use crate::{cast::Member, ledger::Ledger};

/// How often the page is asked what came.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// A page that follows the streams of `members`.
pub(crate) async fn open(addr: SocketAddr, members: &[Member]) -> Browser {
    let streams = members.iter().map(|member| ("stream", member.path()));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(streams)
        .finish();
    Browser::open(BrowserKind::Chromium, &format!("http://{addr}/?{query}")).await
}

/// Takes what the page has got to the ledger, for ever.
pub(crate) fn follow(browser: &Browser, ledger: Arc<Ledger>) -> impl Future<Output = ()> + use<> {
    let page = browser.page().clone();
    async move {
        loop {
            let rows = page.execute("return take()", Vec::new()).await.unwrap();
            let rows: Vec<_> = serde_json::from_value(rows).unwrap();
            rows.into_iter().for_each(|row| ledger.got_row(row));
            sleep(ASK_EVERY).await;
        }
    }
}
