use sse_core::Hub;

use crate::answer::Refusal;

/// Does what `publish` does, unless the server is draining: who has been sent away comes back to another
/// process, which knows nothing of what this one keeps.
///
/// Where it began to drain meanwhile, some may have gone without it. That is no success either, though
/// others have got it: what a success was told of is in the queues of all who were there and had caught up.
pub(crate) async fn before_draining<T>(
    hub: &Hub,
    publish: impl Future<Output = Result<T, Refusal>> + Send,
) -> Result<T, Refusal> {
    let refused = || Err(Refusal::Draining);
    if hub.is_draining() {
        return refused();
    }
    let done = publish.await?;
    if hub.is_draining() {
        return refused();
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use sse_core::{Drain, Event};

    use super::*;

    async fn publish(hub: &Hub) -> Result<(), Refusal> {
        hub.broadcast(Event::text("hello")).await?.outcome().await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_success_was_before_it_drained() {
        let hub = Hub::builder().build().unwrap();
        assert!(before_draining(&hub, publish(&hub)).await.is_ok());
        let drained_meanwhile = async {
            publish(&hub).await?;
            hub.shutdown(Drain::default()).await;
            Ok(())
        };
        let late = before_draining(&hub, drained_meanwhile).await;
        assert!(matches!(late, Err(Refusal::Draining)), "{late:?}");
        let never = before_draining::<()>(&hub, async { panic!("nothing is published") }).await;
        assert!(matches!(never, Err(Refusal::Draining)), "{never:?}");
        let closed = publish(&hub).await;
        assert!(matches!(closed, Err(Refusal::Draining)), "{closed:?}");
    }
}
