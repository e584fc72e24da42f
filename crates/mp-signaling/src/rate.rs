//! A token bucket that limits the messages of a socket.

use mp_core::Instant;

use crate::limits::{MESSAGE_BURST, MESSAGES_PER_SECOND};

/// The messages that a socket may send now.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    /// Available tokens in millionths of a message.
    tokens: u64,
    filled: Instant,
}

const TOKEN: u64 = 1_000_000;
const CAPACITY: u64 = MESSAGE_BURST as u64 * TOKEN;

impl TokenBucket {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { tokens: CAPACITY, filled: now }
    }

    /// Removes one token. Returns false when there is none.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let micros = now.saturating_since(self.filled).as_micros();
        let gained = u64::try_from(micros).unwrap_or(u64::MAX);
        let gained = gained.saturating_mul(u64::from(MESSAGES_PER_SECOND));
        self.tokens = self.tokens.saturating_add(gained).min(CAPACITY);
        self.filled = now;
        let has_token = self.tokens >= TOKEN;
        if has_token {
            self.tokens -= TOKEN;
        }
        has_token
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn burst_is_allowed_and_then_the_rate() {
        let mut bucket = TokenBucket::new(Instant::ZERO);
        let mut now = Instant::ZERO;
        assert!((0..MESSAGE_BURST).all(|_| bucket.take(now)));
        assert!(!bucket.take(now));
        now += Duration::from_secs(1);
        let count = std::iter::from_fn(|| bucket.take(now).then_some(())).count();
        assert_eq!(count, MESSAGES_PER_SECOND as usize);
    }

    #[test]
    fn long_pause_refills_only_to_the_burst() {
        let mut bucket = TokenBucket::new(Instant::ZERO);
        let now = Instant::from_micros(u64::MAX);
        let count = std::iter::from_fn(|| bucket.take(now).then_some(())).count();
        assert_eq!(count, MESSAGE_BURST as usize);
    }
}
