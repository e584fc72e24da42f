//! tokio-tungstenite: each message is sent back, or with `batched` all received ones with one
//! flush.

use std::env;

use futures_util::{SinkExt, StreamExt};
use mp_bench_forward::Failure;
use mp_bench_websocket::serve;
use tokio_tungstenite::accept_async;

fn main() -> Result<(), Failure> {
    let is_batched = env::args().any(|argument| argument == "batched");
    serve(move |stream| async move {
        let (mut sink, mut messages) = accept_async(stream).await?.split();
        if is_batched {
            let mut batches = messages.ready_chunks(64);
            while let Some(batch) = batches.next().await {
                for message in batch {
                    sink.feed(message?).await?;
                }
                sink.flush().await?;
            }
        } else {
            while let Some(message) = messages.next().await {
                sink.send(message?).await?;
            }
        }
        Ok(())
    })
}
