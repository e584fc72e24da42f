//! Packet loss statistics: the fraction of commands that were retransmitted, in 65,536ths, measured
//! every ten seconds.

use crate::proto::Millis;

/// Packet loss statistics of a peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loss {
    mean: u32,
    variance: u32,
    /// Start of the current interval. The first one starts with the first datagram.
    epoch: Option<Millis>,
    sent: u64,
    /// Total number of lost commands at the start of the interval.
    lost_before: u64,
}

impl Loss {
    /// Returns the mean fraction of commands that are lost.
    pub(crate) const fn mean(&self) -> u32 {
        self.mean
    }

    /// Returns the variance of that fraction.
    pub(crate) const fn variance(&self) -> u32 {
        self.variance
    }

    /// Returns the start of the current interval.
    pub(crate) const fn epoch(&self) -> Option<Millis> {
        self.epoch
    }

    /// Ends the interval if it is over. Called before a datagram is sent. `lost`: total number of
    /// lost commands.
    pub(crate) fn measure(&mut self, now: Millis, lost: u64) {
        let Some(epoch) = self.epoch else {
            self.epoch = Some(now);
            return;
        };
        if now.saturating_sub(epoch) < INTERVAL || self.sent == 0 {
            return;
        }
        let since = lost - self.lost_before;
        let loss = u32::try_from(since * u64::from(LOSS_SCALE) / self.sent).unwrap_or(u32::MAX);
        self.variance =
            ((u64::from(self.variance) * 3 + u64::from(loss.abs_diff(self.mean))) / 4) as u32;
        self.mean = ((u64::from(self.mean) * 7 + u64::from(loss)) / 8) as u32;
        (self.epoch, self.sent, self.lost_before) = (Some(now), 0, lost);
    }

    /// Counts sent commands.
    pub(crate) const fn sent(&mut self, commands: usize) {
        self.sent += commands as u64;
    }
}

/// A loss of all commands.
pub(crate) const LOSS_SCALE: u32 = 65_536;
const INTERVAL: Millis = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_measured_every_ten_seconds_with_traffic() {
        let mut loss = Loss::default();
        loss.measure(5_000, 0);
        loss.sent(100);
        loss.measure(14_999, 10);
        assert_eq!((loss.mean, loss.variance), (0, 0));
        loss.measure(15_000, 10);
        // A tenth was lost. The mean moves by an eighth, the variance by a quarter of the
        // difference.
        assert_eq!((loss.mean, loss.variance), (819, 1_638));
        loss.measure(25_000, 10);
        assert_eq!(loss.mean, 819, "nothing was sent, so nothing is measured");
        loss.sent(100);
        loss.measure(26_000, 10);
        assert_eq!((loss.mean, loss.variance), (716, 1_433));
    }
}
