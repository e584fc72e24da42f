//! Lists of the messages of a stream, without a consumer.

use std::collections::BTreeMap;
use std::fmt::Display;

use async_nats::header::{NATS_SEQUENCE, NATS_SUBJECT};
use async_nats::{Client, HeaderMap, Message};
use bytes::Bytes;
use futures_util::StreamExt;

use crate::directory::Unavailable;
use crate::limits::ENTRIES_MAX;

/// A message of a stream.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) subject: String,
    pub(super) sequence: u64,
    pub(super) headers: HeaderMap,
    pub(super) payload: Bytes,
}

/// Returns the messages of a stream whose subjects match `filter`. The stream must have one message
/// per subject. Those that are stored meanwhile may be missing.
///
/// # Errors
///
/// [`Unavailable`] if the server does not respond, or there are more than [`ENTRIES_MAX`].
pub(super) async fn messages(
    client: &Client,
    stream: &str,
    filter: &str,
) -> Result<Vec<Listed>, Unavailable> {
    let mut listed = BTreeMap::new();
    let mut next = 1;
    loop {
        let (page, is_last) = page(client, stream, filter, next).await?;
        let Some(last) = page.iter().map(|it| it.sequence).max() else { break };
        // A message that was replaced between two pages is in both.
        listed.extend(page.into_iter().map(|it| (it.subject.clone(), it)));
        if is_last {
            break;
        }
        if listed.len() > ENTRIES_MAX {
            return Err(Unavailable);
        }
        next = last + 1;
    }
    Ok(listed.into_values().collect())
}

/// Returns up to [`PAGE_MESSAGES`] messages from a sequence number on, fewer if they are long, and
/// whether there are no further ones.
async fn page(
    client: &Client,
    stream: &str,
    filter: &str,
    from: u64,
) -> Result<(Vec<Listed>, bool), Unavailable> {
    let inbox = client.new_inbox();
    let mut replies = client.subscribe(inbox.clone()).await.map_err(|error| away(&error))?;
    let subject = format!("$JS.API.DIRECT.GET.{stream}");
    // Names of streams and subjects need no escapes.
    let request =
        format!("{{\"seq\":{from},\"batch\":{PAGE_MESSAGES},\"next_by_subj\":\"{filter}\"}}");
    let sent = client.publish_with_reply(subject, inbox, request.into()).await;
    sent.map_err(|error| away(&error))?;
    let mut page = Vec::new();
    while let Some(message) = replies.next().await {
        match message.status.map(|status| status.as_u16()) {
            None | Some(200) => page.push(listed(message).ok_or(Unavailable)?),
            Some(END_OF_PAGE) => {
                let pending = message.headers.as_ref().and_then(|it| it.get("Nats-Num-Pending"));
                let is_last = pending.is_none_or(|pending| pending.as_str() == "0");
                return Ok((page, is_last));
            }
            Some(NOT_FOUND) => return Ok((page, true)),
            Some(status) => return Err(away(&format_args!("status {status} of a list"))),
        }
        if page.len() > PAGE_MESSAGES {
            break;
        }
    }
    Err(Unavailable)
}

fn listed(message: Message) -> Option<Listed> {
    let headers = message.headers?;
    let sequence = headers.get(NATS_SEQUENCE)?.as_str().parse().ok()?;
    let subject = headers.get(NATS_SUBJECT)?.as_str().to_owned();
    Some(Listed { subject, sequence, headers, payload: message.payload })
}

fn away(error: &impl Display) -> Unavailable {
    tracing::debug!("a list of the cluster: {error}");
    Unavailable
}

/// Messages of a request. A server sends up to 1,024.
const PAGE_MESSAGES: usize = 500;

const END_OF_PAGE: u16 = 204;
const NOT_FOUND: u16 = 404;
