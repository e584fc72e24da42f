//! Loss statistics: which part of the commands had to be sent again, in 65,536ths, every ten seconds.

use crate::proto::Millis;

/// What is known about the loss on the way to a peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loss {
    mean: u32,
    variance: u32,
    /// When the current measurement began: with the first datagram.
    epoch: Option<Millis>,
    sent: u64,
    /// Commands lost, in all, when it began.
    lost_before: u64,
}

impl Loss {
    /// Mean part of the commands that is lost.
    pub(crate) const fn mean(&self) -> u32 {
        self.mean
    }

    /// Variance of that part.
    pub(crate) const fn variance(&self) -> u32 {
        self.variance
    }

    /// Start of the current measurement, which is that of the first datagram.
    pub(crate) const fn epoch(&self) -> Option<Millis> {
        self.epoch
    }

    /// A datagram is about to be sent; `lost` commands were lost so far.
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

    /// That many commands were sent.
    pub(crate) const fn sent(&mut self, commands: usize) {
        self.sent += commands as u64;
    }
}

/// All of it.
pub(crate) const LOSS_SCALE: u32 = 65_536;
const INTERVAL: Millis = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_measured_every_ten_seconds_with_traffic() {
        let mut loss = Loss::default();
        loss.measure(5_000, 0);
        loss.sent(100);
        loss.measure(14_999, 10);
        assert_eq!((loss.mean, loss.variance), (0, 0));
        loss.measure(15_000, 10);
        // A tenth: an eighth of it is taken over, and a quarter of the change.
        assert_eq!((loss.mean, loss.variance), (819, 1_638));
        loss.measure(25_000, 10);
        assert_eq!(loss.mean, 819, "nothing was sent");
        loss.sent(100);
        loss.measure(26_000, 10);
        assert_eq!((loss.mean, loss.variance), (716, 1_433));
    }
}
