//! Echo of bytes: the lower bound of TCP.

use mp_bench_forward::Failure;
use mp_bench_websocket::serve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn main() -> Result<(), Failure> {
    serve(|mut stream| async move {
        let mut bytes = vec![0; 16_384];
        loop {
            match stream.read(&mut bytes).await? {
                0 => return Ok(()),
                len => stream.write_all(&bytes[..len]).await?,
            }
        }
    })
}
