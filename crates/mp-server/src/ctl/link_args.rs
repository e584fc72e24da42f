//! The arguments of `ctl link`.

use clap::{Args, ValueEnum};

use crate::admin::{Direction, Link};
use crate::link;

/// Conditions of a link.
#[derive(Args, Clone, Debug)]
pub(super) struct LinkArgs {
    /// Delay of each direction, such as 100ms
    #[arg(long, value_parser = seconds, default_value = "0ms", hide_default_value = true)]
    latency: f64,
    /// Maximum further delay, drawn for each datagram
    #[arg(long, value_parser = seconds, default_value = "0ms", hide_default_value = true)]
    jitter: f64,
    /// Part of the datagrams that is lost, such as 5%
    #[arg(long, value_parser = probability, default_value = "0%", hide_default_value = true)]
    loss: f64,
    /// Part of the datagrams that arrives twice
    #[arg(long, value_parser = probability, default_value = "0%", hide_default_value = true)]
    duplication: f64,
    /// Part of the datagrams that others overtake
    #[arg(long, value_parser = probability, default_value = "0%", hide_default_value = true)]
    reordering: f64,
    /// Bytes per second; 0: no limit
    #[arg(long, value_name = "BYTES", default_value_t = 0, hide_default_value = true)]
    rate: u64,
    /// Direction of the conditions
    #[arg(long, value_enum, default_value_t = Way::Both)]
    direction: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// To the player and from the player
    Both,
    /// To the player
    To,
    /// From the player
    From,
}

impl From<LinkArgs> for Link {
    fn from(args: LinkArgs) -> Self {
        let given = Direction {
            latency_seconds: args.latency,
            jitter_seconds: args.jitter,
            loss: args.loss,
            duplication: args.duplication,
            reordering: args.reordering,
            bytes_per_second: args.rate,
        };
        let of = |other| if args.direction == other { Direction::default() } else { given };
        Self { to_player: of(Way::From), from_player: of(Way::To) }
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let delay = link::delay(text).ok_or_else(|| format!("must be {}", link::DELAY_TAKES))?;
    Ok(delay.as_secs_f64())
}

fn probability(text: &str) -> Result<f64, String> {
    let permille = link::percentage(text);
    let permille = permille.ok_or_else(|| format!("must be {}", link::PERCENTAGE_TAKES))?;
    Ok(f64::from(permille) / 1_000.0)
}
