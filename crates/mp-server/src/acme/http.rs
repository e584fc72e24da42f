//! [`AuthorityClient`]: the HTTP client of the ACME protocol.

use std::fs;
use std::pin::Pin;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use instant_acme::{BodyWrapper, BytesResponse, Error};
use mp_core::ErrorChain;
use mp_identity::HttpUrl;
use mp_tls::{ClientTlsOptions, TlsError};

use crate::config::AcmeConfig;
use crate::http_client::HttpClient;

/// Sends requests to the authority. Trusts the certificates of the system, or those of `acme.ca`.
pub(crate) struct AuthorityClient(HttpClient);

impl AuthorityClient {
    /// Returns a client for the authority of the settings.
    ///
    /// # Errors
    ///
    /// If the file of certificates is invalid, or the system has none. The error is a message.
    pub(crate) fn new(config: &AcmeConfig) -> Result<Self, String> {
        let url = HttpUrl::new(config.directory_url()).map_err(|error| error.to_string())?;
        let message = |error: TlsError| ErrorChain::new(&error).to_string();
        let options = ClientTlsOptions::new();
        let options = match &config.ca {
            Some(file) => {
                let pem = fs::read_to_string(file);
                let pem =
                    pem.map_err(|error| format!("cannot read {}: {error}", file.display()))?;
                options.trusted_chain(&pem).map_err(message)?
            }
            None => options,
        };
        HttpClient::with_tls(&url, &options).map(Self).map_err(message)
    }

    /// Requests the directory of the authority, which lists its URLs.
    ///
    /// # Errors
    ///
    /// If it cannot be reached or does not respond with 200. The error is a message.
    pub(crate) async fn check_directory(&self, url: &str) -> Result<(), String> {
        let request = Request::get(url).body(Full::default()).map_err(|it| it.to_string())?;
        let response = self.0.exchange(request, TIMEOUT, BODY_BYTES_MAX).await;
        match response.map_err(|failure| failure.to_string())?.status().as_u16() {
            200 => Ok(()),
            status => Err(format!("the status of the response is {status}")),
        }
    }
}

impl instant_acme::HttpClient for AuthorityClient {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap_or_else(|never| match never {}).to_bytes();
            let url = parts.uri.to_string();
            let request = Request::from_parts(parts, Full::from(body));
            let response = client.exchange(request, TIMEOUT, BODY_BYTES_MAX).await;
            let response =
                response.map_err(|failure| Error::Other(format!("{url}: {failure}").into()))?;
            let (parts, body) = response.into_parts();
            Ok(BytesResponse { parts, body: Box::new(body) })
        })
    }
}

/// Time limit of one request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum size of a response: a certificate chain has a few KiB.
const BODY_BYTES_MAX: usize = 256 << 10;
