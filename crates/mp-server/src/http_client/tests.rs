use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mp_identity::{
    AuthMethod, AuthOutput, Authenticator, CallOutSettings, Credentials, RequestId, Token,
};
use mp_tls::rustls::{ServerConnection, StreamOwned};
use mp_tls::{CertificateStore, DevelopmentCertificate};

use super::*;

/// Returns a request of the call-out to `url`.
fn request(url: &str, timeout: Duration) -> HttpRequest {
    let settings = CallOutSettings::new(HttpUrl::new(url).unwrap()).timeout(timeout);
    let settings = settings.authorization(Token::new("server secret").unwrap());
    let mut authenticator = Authenticator::new(AuthMethod::CallOut(settings));
    let credentials = Credentials { token: Token::new("ticket").ok(), ..Credentials::default() };
    authenticator.begin(mp_core::Instant::ZERO, 0, RequestId(0), credentials);
    match authenticator.next_output() {
        Some(AuthOutput::Fetch { http, .. }) => http,
        output => panic!("{output:?}"),
    }
}

fn send(client: &HttpClient, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(client.send(request))
}

/// Answers one connection of a new server with `response`. Returns its port, and what it receives.
fn serve(response: Vec<u8>) -> (u16, JoinHandle<String>) {
    serve_by(move |mut stream| {
        let received = receive(&mut stream);
        // A client may have enough before the end.
        let _ = stream.write_all(&response);
        received
    })
}

fn serve_by(serve: impl FnOnce(TcpStream) -> String + Send + 'static) -> (u16, JoinHandle<String>) {
    serve_on(TcpListener::bind("127.0.0.1:0").unwrap(), serve)
}

fn serve_on(
    listener: TcpListener,
    serve: impl FnOnce(TcpStream) -> String + Send + 'static,
) -> (u16, JoinHandle<String>) {
    let port = listener.local_addr().unwrap().port();
    (port, thread::spawn(move || serve(listener.accept().unwrap().0)))
}

/// Receives a request with its body.
fn receive(stream: &mut impl std::io::Read) -> String {
    let (mut reader, mut text) = (BufReader::new(stream), String::new());
    while !text.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut text).unwrap() > 0, "{text}");
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    text + std::str::from_utf8(&body).unwrap()
}

/// Sends a request to a server that answers with `response`.
fn exchange(response: &[u8]) -> Result<HttpResponse, HttpFailure> {
    let (port, server) = serve(response.to_vec());
    let request = request(&format!("http://127.0.0.1:{port}/"), Duration::from_secs(10));
    let response = send(&HttpClient::for_url(&request.url).unwrap(), request);
    server.join().unwrap();
    response
}

fn response(status: u16, body: &[u8]) -> Result<HttpResponse, HttpFailure> {
    Ok(HttpResponse { status, body: body.to_vec() })
}

#[test]
fn request_is_sent_whole_and_the_response_is_returned() {
    let (port, server) = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes".to_vec());
    let request = request(&format!("http://127.0.0.1:{port}/login?v=1"), Duration::from_secs(10));
    let client = HttpClient::for_url(&request.url).unwrap();
    assert_eq!(send(&client, request), response(200, b"yes"));
    let received = server.join().unwrap();
    assert!(received.starts_with("POST /login?v=1 HTTP/1.1\r\n"), "{received}");
    for part in [
        &format!("host: 127.0.0.1:{port}\r\n"),
        "connection: close\r\n",
        "user-agent: mp-server/",
        "content-type: application/json\r\n",
        "authorization: Bearer server secret\r\n",
    ] {
        assert!(received.contains(part), "{part:?} is not in {received}");
    }
    assert!(received.ends_with("\r\n\r\n{\"token\":\"ticket\"}"), "{received}");
}

#[test]
fn ipv6_addresses_are_reached() {
    // Some systems have no IPv6.
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
    let (port, server) = serve_on(listener, |mut stream| {
        let received = receive(&mut stream);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        received
    });
    let request = request(&format!("http://[::1]:{port}/"), Duration::from_secs(10));
    let client = HttpClient::for_url(&request.url).unwrap();
    assert_eq!(send(&client, request), response(204, b""));
    assert!(server.join().unwrap().contains(&format!("host: [::1]:{port}\r\n")));
}

#[test]
fn bodies_are_read_until_their_end_and_redirects_are_responses() {
    let chunked =
        b"HTTP/1.1 403 F\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    assert_eq!(exchange(chunked), response(403, b"abc"));
    assert_eq!(exchange(b"HTTP/1.0 200 OK\r\n\r\nuntil the end"), response(200, b"until the end"));
    let redirect =
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(exchange(redirect), response(302, b""));
}

#[test]
fn long_bodies_are_too_large() {
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    let most = [head(65_536).as_bytes(), &[b'x'; 65_536]].concat();
    assert_eq!(exchange(&most), response(200, &[b'x'; 65_536]));
    let announced = [head(65_537).as_bytes(), &[b'x'; 65_537]].concat();
    assert_eq!(exchange(&announced), Err(HttpFailure::TooLarge));
    let without_length = [&b"HTTP/1.0 200 OK\r\n\r\n"[..], &[b'x'; 65_537]].concat();
    assert_eq!(exchange(&without_length), Err(HttpFailure::TooLarge));
}

#[test]
fn other_bytes_and_incomplete_responses_are_invalid() {
    for bytes in [
        &b""[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
        &[&b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\na: "[..], &[b'x'; 200_000], b"\r\n\r\n"]
            .concat(),
    ] {
        let name = String::from_utf8_lossy(&bytes[..bytes.len().min(30)]).into_owned();
        assert_eq!(exchange(bytes), Err(HttpFailure::InvalidResponse), "{name:?}");
    }
}

#[test]
fn slow_server_times_out() {
    let (port, server) = serve_by(|mut stream| {
        let received = receive(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nslow").unwrap();
        // Until the client closes the connection.
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
        received
    });
    let request = request(&format!("http://127.0.0.1:{port}/"), Duration::from_millis(300));
    let client = HttpClient::for_url(&request.url).unwrap();
    assert_eq!(send(&client, request), Err(HttpFailure::TimedOut));
    server.join().unwrap();
}

#[test]
fn missing_server_is_unreachable() {
    // Not a port that was bound and closed: a test beside this one could get it.
    for url in ["http://127.0.0.1:1/", "http://host.invalid/"] {
        let request = request(url, Duration::from_secs(10));
        let client = HttpClient::for_url(&request.url).unwrap();
        assert_eq!(send(&client, request), Err(HttpFailure::Unreachable), "{url}");
    }
}

/// Serves one connection by TLS.
fn serve_tls(made: &DevelopmentCertificate) -> (u16, JoinHandle<String>) {
    let config = CertificateStore::new(made.identity().unwrap()).server_config().unwrap();
    serve_by(move |stream| {
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
        // A client that does not trust the server ends the handshake.
        let Ok(()) = stream.flush() else { return String::new() };
        let received = receive(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes").unwrap();
        received
    })
}

#[test]
fn encrypted_server_needs_a_trusted_certificate_for_its_name() {
    let made = DevelopmentCertificate::new(&["localhost", "::1", "127.0.0.1"]).unwrap();
    let other = DevelopmentCertificate::new(&["localhost"]).unwrap();
    let elsewhere = DevelopmentCertificate::new(&["game.example"]).unwrap();
    for (served, trusted, host, expected) in [
        (&made, &made, "localhost", response(200, b"yes")),
        (&made, &made, "127.0.0.1", response(200, b"yes")),
        (&made, &other, "localhost", Err(HttpFailure::Unreachable)),
        (&elsewhere, &elsewhere, "localhost", Err(HttpFailure::Unreachable)),
    ] {
        let (port, server) = serve_tls(served);
        let request = request(&format!("https://{host}:{port}/"), Duration::from_secs(10));
        let options = ClientTlsOptions::new().trusted_chain(trusted.certificate_pem()).unwrap();
        let client = HttpClient::with_tls(&request.url, &options).unwrap();
        assert_eq!(send(&client, request), expected, "{host}");
        let received = server.join().unwrap();
        assert_eq!(received.contains("ticket"), expected.is_ok(), "{received}");
    }
}
