//! The arguments of `ctl watch`.

use std::time::Duration;

use clap::Args;

use crate::admin::PlaybackChange;
use crate::record::{parse_speed, parse_time};

/// Changes of a playback.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct PlaybackArgs {
    /// Pause the recording
    #[arg(long, conflicts_with = "play")]
    pause: bool,
    /// Go on
    #[arg(long)]
    play: bool,
    /// Multiple of the recorded speed, from 0.1 to 100
    #[arg(long, value_name = "NUMBER", value_parser = parse_speed)]
    speed: Option<f64>,
    /// Continue at a time: seconds, MM:SS or HH:MM:SS
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    seek: Option<Duration>,
}

impl From<PlaybackArgs> for PlaybackChange {
    fn from(args: PlaybackArgs) -> Self {
        let paused = (args.pause || args.play).then_some(args.pause);
        let seek_seconds = args.seek.map(|time| time.as_secs_f64());
        Self { paused, speed: args.speed, seek_seconds }
    }
}
