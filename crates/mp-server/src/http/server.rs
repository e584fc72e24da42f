//! [`HttpServer`]: the thread that serves HTTP.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::extract::ClientAddress;
use super::problem::Problem;
use super::write_timeout::WriteTimeout;

/// A thread that serves HTTP/1.1. It ends when this is dropped or [stopped](Self::stop).
#[derive(Debug)]
pub(crate) struct HttpServer {
    runtime: Handle,
    stop: CancellationToken,
    connections: TaskTracker,
    ended: oneshot::Receiver<()>,
}

/// A port that accepts connections as soon as it is served.
#[derive(Debug)]
pub(crate) struct HttpListener {
    listener: TcpListener,
    address: SocketAddr,
}

/// Limits of one listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HttpLimits {
    /// Maximum number of connections. Further ones are closed.
    pub(crate) connections: usize,
    /// Maximum size of a request's line and headers in bytes, at least 8,192.
    pub(crate) head_size: usize,
    /// Maximum size of a request's body in bytes.
    pub(crate) body_size: usize,
    /// Maximum time until a connection has sent the head of its next request.
    pub(crate) head_time: Duration,
    /// Maximum time from the head of a request to that of the response.
    pub(crate) request_time: Duration,
    /// Maximum time in which a client receives no byte of a response.
    pub(crate) write_time: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 256,
            head_size: 16 << 10,
            body_size: 64 << 10,
            head_time: Duration::from_secs(30),
            request_time: Duration::from_secs(10),
            write_time: Duration::from_secs(10),
        }
    }
}

impl HttpListener {
    /// Listens on `address`; with port 0, the system chooses a port.
    ///
    /// # Errors
    ///
    /// If the address is in use, is not one of this machine, or its port needs a permission.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Returns the address with the port that the system has chosen.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl HttpServer {
    /// Starts the thread. It serves nothing yet.
    ///
    /// # Errors
    ///
    /// If the system has no further thread.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, connections) = (CancellationToken::new(), TaskTracker::new());
        let (ending, ended) = oneshot::channel();
        let (stopped, open) = (stop.clone(), connections.clone());
        thread::Builder::new().name("http".to_owned()).spawn(move || {
            runtime.block_on(async {
                stopped.cancelled().await;
                open.close();
                let _ = tokio::time::timeout(STOP_TIME, open.wait()).await;
            });
            drop(runtime);
            let _ = ending.send(());
        })?;
        Ok(Self { runtime: handle, stop, connections, ended })
    }

    /// Serves `router`, which a [`BrowserGuard`](super::BrowserGuard) protects, on `listener` until
    /// the server stops.
    ///
    /// # Errors
    ///
    /// If the listener cannot be registered with the thread's event loop.
    pub(crate) fn serve(
        &self,
        listener: HttpListener,
        router: Router,
        limits: HttpLimits,
    ) -> io::Result<()> {
        let _context = self.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener.listener)?;
        let (stop, connections) = (self.stop.clone(), self.connections.clone());
        self.runtime.spawn(accept(listener, router, limits, connections, stop));
        Ok(())
    }

    /// Returns the token that is cancelled when the server stops. Responses without an end must end
    /// then.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs a task on the thread until the server stops.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.runtime.spawn(async move { stop.run_until_cancelled_owned(task).await });
    }

    /// Stops to accept requests, and waits until the others have their responses: for at most a
    /// second.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        let _ = (&mut self.ended).await;
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    router: Router,
    limits: HttpLimits,
    connections: TaskTracker,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut refused = 0_u64;
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Without it, small responses wait for the acknowledgement of earlier ones.
        let _ = stream.set_nodelay(true);
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            refused += 1;
            tracing::debug!(%address, refused, "too many HTTP connections");
            continue;
        };
        let connection = serve(stream, address, router.clone(), limits, stop.clone());
        connections.spawn(async move {
            connection.await;
            drop(place);
        });
    }
}

/// Serves one connection until the client closes it, a limit is exceeded, or the server stops.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    address: SocketAddr,
    router: Router,
    limits: HttpLimits,
    stop: CancellationToken,
) {
    let stream = TokioIo::new(WriteTimeout::new(stream, limits.write_time));
    let service = service_fn(move |request| respond(request, address, router.clone(), limits));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_time);
    http.max_buf_size(limits.head_size);
    let mut connection = std::pin::pin!(http.serve_connection(stream, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "HTTP connection failed");
    }
}

async fn respond(
    request: Request<Incoming>,
    address: SocketAddr,
    router: Router,
    limits: HttpLimits,
) -> Result<Response, Infallible> {
    let mut request = request.map(|body| Body::new(Limited::new(body, limits.body_size)));
    request.extensions_mut().insert(ClientAddress(address));
    match tokio::time::timeout(limits.request_time, router.oneshot(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = "the request was not complete, or the server did not respond, in time";
            Ok(Problem::unavailable("timeout", detail).into_response())
        }
    }
}

/// Maximum time in which a stopping server completes responses.
const STOP_TIME: Duration = Duration::from_secs(1);
/// Time without accepting after an error, for example because there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::Instant;

    use super::*;

    /// Sends `request` over a connection whose buffer holds `buffer` bytes. Returns the client's
    /// end, and the time after which the server has closed the connection.
    async fn serve_one(buffer: usize, request: &[u8]) -> (DuplexStream, Duration) {
        let router = Router::new()
            .route("/", get(|| async { "x".repeat(10_000) }))
            .route("/never", get(std::future::pending::<()>));
        let (mut client, stream) = duplex(buffer);
        client.write_all(request).await.unwrap();
        let started = Instant::now();
        let address = ([127, 0, 0, 1], 1).into();
        let stop = CancellationToken::new();
        serve(stream, address, router, HttpLimits::default(), stop).await;
        (client, started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn client_that_does_not_complete_a_head_is_disconnected() {
        for begun in [&b""[..], b"GET / HTTP/1.1\r\nHost: a"] {
            let (_client, time) = serve_one(1 << 20, begun).await;
            assert_eq!(time.as_secs(), 30);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn client_that_sends_no_further_request_is_disconnected() {
        let (_client, time) = serve_one(1 << 20, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(time.as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn client_that_does_not_read_its_response_is_disconnected() {
        let (_client, time) = serve_one(1_000, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(time.as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn request_without_a_response_in_time_receives_503() {
        let head = b"GET /never HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let (mut client, time) = serve_one(1 << 20, head).await;
        assert_eq!(time.as_secs(), 10);
        let mut response = String::new();
        client.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 503") && response.contains("timeout"), "{response}");
    }
}
