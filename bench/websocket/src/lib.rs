//! Common part of the servers: one thread, a task per connection.

use std::net::Ipv4Addr;

use mp_bench_common::{answer_marks, ready};
use mp_bench_forward::Failure;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;

/// Accepts connections on a free port, and runs `echo` for each.
///
/// # Errors
///
/// Returns an error if no socket can be opened.
pub fn serve<F>(echo: impl Fn(TcpStream) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        answer_marks(|| json!({}));
        ready(listener.local_addr()?.port());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let connection = echo(stream);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    eprintln!("connection closed: {error}");
                }
            });
        }
    })
}
