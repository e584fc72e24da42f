//! tokio-websockets: each message is sent back.

use futures_util::{SinkExt, StreamExt};
use mp_bench_forward::Failure;
use mp_bench_websocket::serve;
use tokio_websockets::ServerBuilder;

fn main() -> Result<(), Failure> {
    serve(|stream| async move {
        let (_, mut socket) = ServerBuilder::new().accept(stream).await?;
        while let Some(message) = socket.next().await {
            socket.send(message?).await?;
        }
        Ok(())
    })
}
