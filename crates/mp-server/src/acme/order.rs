//! One order of a certificate: RFC 8555, section 7.4.

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use mp_tls::CertificateRequest;

use super::challenges::Challenges;
use super::http::AuthorityClient;
use super::storage::Storage;
use crate::config::AcmeConfig;

/// Requests a certificate for the domains of the settings, and saves it. Creates an account first
/// if there is none.
///
/// # Errors
///
/// If the authority cannot be reached or refuses, or a file cannot be written. The error is a
/// message.
pub(super) async fn obtain(
    config: &AcmeConfig,
    storage: &Storage,
    challenges: &Challenges,
) -> Result<(), String> {
    let request = async {
        let account = account(config, storage).await?;
        let result = order(&account, config, challenges).await;
        challenges.clear();
        let (key, chain) = result?;
        storage.save_certificate(&key, &chain)
    };
    let result = tokio::time::timeout(ORDER_TIME, request).await;
    result.unwrap_or_else(|_| Err(format!("the authority needs more than {ORDER_TIME:?}")))
}

/// Returns the account of the files, or a new one, which is saved.
async fn account(config: &AcmeConfig, storage: &Storage) -> Result<Account, String> {
    let builder = Account::builder_with_http(Box::new(AuthorityClient::new(config)?));
    if let Some(saved) = storage.account()? {
        let account = builder.from_credentials(saved).await;
        return account.map_err(failed("cannot use the account"));
    }
    let contact: Vec<_> = config.contact.iter().map(|mail| format!("mailto:{mail}")).collect();
    let contact: Vec<_> = contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let created = builder.create(&new, config.directory_url().to_owned(), None).await;
    let (account, credentials) = created.map_err(failed("cannot create an account"))?;
    storage.save_account(&credentials)?;
    tracing::info!(authority = config.directory_url(), "account for certificates created");
    Ok(account)
}

/// Proves that this server has the domains. Returns the key and the chain as PEM texts.
async fn order(
    account: &Account,
    config: &AcmeConfig,
    challenges: &Challenges,
) -> Result<(String, String), String> {
    let names: Vec<_> = config.domains.iter().cloned().map(Identifier::Dns).collect();
    let order = account.new_order(&NewOrder::new(&names)).await;
    let mut order = order.map_err(failed("the order was refused"))?;
    prove(&mut order, challenges).await?;
    let waiting = RetryPolicy::new().timeout(ORDER_TIME);
    let ready = order.poll_ready(&waiting).await;
    match ready {
        Ok(OrderStatus::Ready) => {}
        Ok(_) | Err(Error::Api(_)) => return Err(refusal(&mut order).await),
        Err(error) => return Err(failed("the authority does not validate the names")(error)),
    }
    let request = CertificateRequest::new(&config.domains).map_err(|error| error.to_string())?;
    let refused = failed("the authority issues no certificate");
    order.finalize_csr(request.der()).await.map_err(&refused)?;
    let chain = order.poll_certificate(&waiting).await.map_err(refused)?;
    Ok((request.key_pem().to_owned(), chain))
}

/// Publishes the proof for each name, and asks the authority to read it.
async fn prove(order: &mut Order, challenges: &Challenges) -> Result<(), String> {
    let failed = failed("the order has failed");
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(&failed)?;
        // A proof is valid for later orders, too.
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization
            .challenge(ChallengeType::Http01)
            .ok_or("the authority does not offer the challenge HTTP-01")?;
        challenges.add(&challenge.token, challenge.key_authorization().as_str());
        challenge.set_ready().await.map_err(&failed)?;
    }
    Ok(())
}

/// Returns which names were not validated, and why.
async fn refusal(order: &mut Order) -> String {
    let mut reasons = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        let errors = state.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        let details: Vec<_> = errors.filter_map(|error| error.detail.as_deref()).collect();
        if !details.is_empty() {
            reasons.push(format!("{}: {}", state.identifier(), details.join(", ")));
        }
    }
    let out = "each name must resolve to this machine, and TCP port 80 must reach acme.address";
    format!("the authority has not validated the names: {}; {out}", reasons.join("; "))
}

/// Returns a conversion of errors to messages.
fn failed(what: &'static str) -> impl Fn(Error) -> String {
    move |error| format!("{what}: {error}")
}

/// Time limit of an order. Authorities validate names within seconds.
const ORDER_TIME: Duration = Duration::from_secs(5 * 60);
