//! Check of the sidecar of Agones.

use crate::agones::Agones;
use crate::config::Config;

use super::finding::Finding;

/// Result of a request to the sidecar; `None` if it is not used. The error is a message.
#[derive(Clone, Debug)]
pub(super) struct AgonesFacts(Option<Result<(), String>>);

impl AgonesFacts {
    /// Sends one request to the sidecar.
    pub(super) async fn gather(config: &Config) -> Self {
        Self(match Agones::new(config) {
            Ok(None) => None,
            Ok(Some(agones)) => Some(agones.check().await),
            Err(message) => Some(Err(message)),
        })
    }
}

/// Checks the sidecar, if it is used.
pub(super) fn check(AgonesFacts(result): &AgonesFacts) -> Option<Finding> {
    Some(match result.as_ref()? {
        Ok(()) => Finding::ok(AGONES, "the sidecar responds"),
        Err(message) => Finding::error(
            AGONES,
            format!("the sidecar does not respond: {message}"),
            "Agones does not learn that the server is ready, and replaces it",
            "run the server in a pod of a GameServer; or set agones.enabled = false",
        ),
    })
}

const AGONES: &str = "agones";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn sidecar_must_respond_if_it_is_used() {
        let outcome = |result| check(&AgonesFacts(result)).map(|finding| finding.outcome());
        assert_eq!(outcome(None), None);
        assert_eq!(outcome(Some(Ok(()))), Some(("agones", Level::Ok)));
        assert_eq!(outcome(Some(Err("down".to_owned()))), Some(("agones", Level::Error)));
    }
}
