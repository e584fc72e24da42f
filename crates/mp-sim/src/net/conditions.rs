//! Link conditions, from a local network to a bad mobile connection.

use std::time::Duration;

use mp_core::Rng;
use mp_core::link_shaper::{LinkConditions, LossBursts};

use crate::rng_ext::RngExt;

/// A good wired connection: 10 ms delay, 1 ms jitter, no loss.
pub const GOOD: LinkConditions = LinkConditions {
    delay: Duration::from_millis(10),
    jitter: Duration::from_millis(1),
    loss_permille: 0,
    bursts: LossBursts { begin_permille: 0, loss_permille: 0, end_permille: 0 },
    duplication_permille: 0,
    reordering_permille: 0,
    bytes_per_second: 0,
};

/// Draws random conditions.
pub fn draw(rng: &mut Rng) -> LinkConditions {
    let bursts = |begin_permille, loss_permille, end_permille| LossBursts {
        begin_permille,
        loss_permille,
        end_permille,
    };
    let base = match rng.below(5) {
        0 => LinkConditions { delay: Duration::from_micros(100), ..GOOD },
        1 => GOOD,
        2 => LinkConditions {
            delay: Duration::from_millis(30),
            jitter: Duration::from_millis(10),
            loss_permille: 5,
            bursts: bursts(5, 500, 100),
            ..GOOD
        },
        3 => LinkConditions {
            delay: Duration::from_millis(90),
            jitter: Duration::from_millis(60),
            loss_permille: 30,
            bytes_per_second: 125_000,
            ..GOOD
        },
        _ => LinkConditions {
            delay: Duration::from_millis(250),
            jitter: Duration::from_millis(200),
            loss_permille: 100,
            bursts: bursts(10, 800, 150),
            ..GOOD
        },
    };
    let oddity = |rng: &mut Rng, most| if rng.chance(400) { rng.below(most) as u32 } else { 0 };
    let loss_permille = base.loss_permille + oddity(rng, 150);
    let duplication_permille = oddity(rng, 200);
    let reordering_permille = oddity(rng, 200);
    LinkConditions { loss_permille, duplication_permille, reordering_permille, ..base }
}
