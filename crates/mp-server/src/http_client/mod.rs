//! [`HttpClient`]: sends HTTP requests to services: of authentication, and for certificates.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper::http::uri::Scheme;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use mp_identity::{HttpFailure, HttpRequest, HttpResponse, HttpUrl};
use mp_tls::rustls::ClientConfig;
use mp_tls::rustls::pki_types::ServerName;
use mp_tls::{ClientTlsOptions, TlsError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Sends HTTP/1.1 requests, each on a connection of its own. Redirects are not followed, and there
/// is no proxy. Clones share the settings of TLS.
#[derive(Clone, Debug)]
pub(crate) struct HttpClient {
    /// `None`: only URLs without encryption.
    tls: Option<Arc<ClientConfig>>,
}

impl HttpClient {
    /// Returns a client for requests to `url`, which trusts the certificates of the system if the
    /// URL is encrypted.
    ///
    /// # Errors
    ///
    /// If the URL is encrypted, and the system has no trusted certificates.
    pub(crate) fn for_url(url: &HttpUrl) -> Result<Self, TlsError> {
        Self::with_tls(url, &ClientTlsOptions::new())
    }

    /// Same as [`for_url`](Self::for_url), with other settings of TLS.
    ///
    /// # Errors
    ///
    /// If the URL is encrypted, and the settings are invalid.
    pub(crate) fn with_tls(url: &HttpUrl, options: &ClientTlsOptions) -> Result<Self, TlsError> {
        let tls = url.is_encrypted().then(|| options.client_config()).transpose()?;
        Ok(Self { tls })
    }

    /// Sends a request and returns the response. Takes at most
    /// [`HttpRequest::timeout`](mp_identity::HttpRequest::timeout).
    ///
    /// # Errors
    ///
    /// [`HttpFailure`], without its two last reasons.
    pub(crate) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let uri: Uri = request.url.as_str().parse().map_err(unreachable("invalid URL"))?;
        let (timeout, body_max) = (request.timeout, request.response_bytes_max);
        let mut builder = Request::builder().method(request.method.as_str()).uri(&uri);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        let body = builder.body(Full::from(request.body));
        let request = body.map_err(unreachable("invalid request"))?;
        let response = self.exchange(request, timeout, body_max).await?;
        Ok(HttpResponse { status: response.status().as_u16(), body: response.into_body().into() })
    }

    /// Sends a request to its absolute URL, with the headers of HTTP itself in addition to its own.
    /// Returns the response with a body of at most `body_max` bytes, within `timeout`.
    ///
    /// # Errors
    ///
    /// Same as [`send`](Self::send).
    pub(crate) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        timeout: Duration,
        body_max: usize,
    ) -> Result<Response<Bytes>, HttpFailure> {
        let response = tokio::time::timeout(timeout, self.connect_and_send(request, body_max));
        response.await.unwrap_or(Err(HttpFailure::TimedOut))
    }

    async fn connect_and_send(
        &self,
        request: Request<Full<Bytes>>,
        body_max: usize,
    ) -> Result<Response<Bytes>, HttpFailure> {
        let url = request.uri();
        let is_encrypted = url.scheme() == Some(&Scheme::HTTPS);
        // A host name, or an IP address, whose brackets belong to the URL only.
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
        let stream = TcpStream::connect((&*host, port)).await;
        let stream = stream.map_err(unreachable("cannot connect"))?;
        stream.set_nodelay(true).map_err(unreachable("cannot connect"))?;
        if !is_encrypted {
            return exchange_over(stream, request, body_max).await;
        }
        let tls = self.tls.clone().ok_or(HttpFailure::Unreachable)?;
        let name = ServerName::try_from(host).map_err(unreachable("invalid host"))?;
        let stream = TlsConnector::from(tls).connect(name, stream).await;
        let stream = stream.map_err(unreachable("cannot connect by TLS"))?;
        exchange_over(stream, request, body_max).await
    }
}

/// Sends a request over a new connection.
async fn exchange_over(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    body_max: usize,
) -> Result<Response<Bytes>, HttpFailure> {
    let invalid = |error: hyper::Error| {
        tracing::debug!(%error, "invalid HTTP response");
        HttpFailure::InvalidResponse
    };
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(invalid)?;
    let exchange = async {
        let response = sender.send_request(as_sent(request)?).await.map_err(invalid)?;
        read(response, body_max).await
    };
    tokio::select! {
        response = exchange => response,
        // The connection may end before the body, which it has received, is read.
        () = async { let _ = connection.await; std::future::pending().await } => {
            Err(HttpFailure::InvalidResponse)
        }
    }
}

/// Returns a request as hyper sends it: with the path instead of the URL.
fn as_sent(mut request: Request<Full<Bytes>>) -> Result<Request<Full<Bytes>>, HttpFailure> {
    let url = std::mem::take(request.uri_mut());
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let host = url.authority().map_or("", |authority| authority.as_str());
    *request.uri_mut() = path.parse().map_err(unreachable("invalid URL"))?;
    let host = HeaderValue::from_str(host).map_err(unreachable("invalid URL"))?;
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(OWN_NAME));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

/// Reads a response with a body of at most `body_max` bytes.
async fn read(
    response: Response<Incoming>,
    body_max: usize,
) -> Result<Response<Bytes>, HttpFailure> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, body_max).collect().await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => HttpFailure::TooLarge,
        false => HttpFailure::InvalidResponse,
    })?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

/// Returns a conversion of errors that logs why a server cannot be reached.
fn unreachable<E: std::fmt::Display>(why: &'static str) -> impl Fn(E) -> HttpFailure {
    move |error| {
        tracing::debug!(%error, "{why}");
        HttpFailure::Unreachable
    }
}

const OWN_NAME: &str = concat!("mp-server/", env!("CARGO_PKG_VERSION"));
/// Bytes of the status line and the headers of a response after which hyper reads no more. It may
/// have read twice as many.
const HEAD_BYTES_MAX: usize = 64 * 1024;
