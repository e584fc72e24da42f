//! Times of requests for certificates.

use std::time::Duration;

use mp_core::UnixSeconds;
use mp_tls::Identity;

/// Returns the time at which to request the next certificate: after two thirds of the validity, as
/// authorities recommend. `None` if the certificate is not for all `domains`, or its validity
/// cannot be read: at once.
pub(super) fn renewal_time(identity: &Identity, domains: &[String]) -> Option<UnixSeconds> {
    let (from, to) = (identity.not_before()?, identity.not_after()?);
    let is_for_all = domains.iter().all(|domain| identity.is_for(domain));
    is_for_all.then(|| from + to.saturating_sub(from) / 3 * 2)
}

/// Pauses between failed requests. They double from 5 minutes to 12 hours: authorities refuse
/// those with more than five failed validations of a name per hour.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BackOff {
    failures: u32,
}

impl BackOff {
    /// Counts a failure, and returns the time until the next attempt.
    pub(super) fn next_pause(&mut self) -> Duration {
        let pause = PAUSE_MIN * 2_u32.pow(self.failures.min(DOUBLINGS_MAX));
        self.failures = self.failures.saturating_add(1);
        pause.min(PAUSE_MAX)
    }

    /// Begins anew after a success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

const PAUSE_MIN: Duration = Duration::from_secs(5 * 60);
const PAUSE_MAX: Duration = Duration::from_secs(12 * 3_600);
/// Doublings after which [`PAUSE_MIN`] exceeds [`PAUSE_MAX`].
const DOUBLINGS_MAX: u32 = 8;

#[cfg(test)]
mod tests {
    use mp_tls::DevelopmentCertificate;

    use super::*;

    #[test]
    fn certificates_are_renewed_after_two_thirds_of_their_validity() {
        let made = DevelopmentCertificate::new(&["a.example", "b.example"]).unwrap();
        let identity = made.identity().unwrap();
        let (from, to) = (identity.not_before().unwrap(), identity.not_after().unwrap());
        let names = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        let third = (to - from) / 3;
        let all = names(&["a.example", "b.example"]);
        assert_eq!(renewal_time(&identity, &all), Some(from + 2 * third));
        assert_eq!(renewal_time(&identity, &names(&["a.example", "c.example"])), None);
    }

    #[test]
    fn pauses_double_up_to_half_a_day_and_begin_anew_after_a_success() {
        let mut back_off = BackOff::default();
        let minutes: Vec<_> = (0..10).map(|_| back_off.next_pause().as_secs() / 60).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 80, 160, 320, 640, 720, 720]);
        back_off.failures = u32::MAX;
        assert_eq!(back_off.next_pause(), PAUSE_MAX);
        back_off.reset();
        assert_eq!(back_off.next_pause(), PAUSE_MIN);
    }
}
