//! fastwebsockets, one frame at a time. The handshake is implemented here.

use fastwebsockets::{Frame, OpCode, Role, WebSocket};
use mp_bench_forward::Failure;
use mp_bench_websocket::serve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

fn main() -> Result<(), Failure> {
    serve(|mut stream| async move {
        accept(&mut stream).await?;
        let mut socket = WebSocket::after_handshake(stream, Role::Server);
        loop {
            let frame = socket.read_frame().await?;
            match frame.opcode {
                OpCode::Close => return Ok(()),
                OpCode::Binary => socket.write_frame(Frame::binary(frame.payload)).await?,
                _ => {}
            }
        }
    })
}

async fn accept(stream: &mut TcpStream) -> Result<(), Failure> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let request = String::from_utf8(request)?;
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = derive_accept_key(key.ok_or("no key")?.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    Ok(stream.write_all(answer.as_bytes()).await?)
}
