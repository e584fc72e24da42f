//! `mp-server watch`: a room whose host is a recording.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use clap::Args;
use mp_core::{ErrorChain, PeerEvent, PeerId, ToBranch};
use mp_record::limits::SPEEDS;
use mp_record::{Replay, WatchControl, WatchEvent, WatchSeat, WatchedReplay};
use mp_relay::HostSeat;
use mp_scene::{Branch, BuildError};

use super::replay::{open, parse_time, shown};
use crate::args::SettingArgs;
use crate::server::ServerBuilder;
use crate::{Failure, output};

/// Watch a recording of a room with the game itself
///
/// Opens a room whose host is the recording. Clients of the game join it as ever, and see what one
/// player of the recording saw. They cannot play: what they send is dropped.
#[derive(Args, Debug)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct WatchArgs {
    /// Recording, a file of template.NAME.record
    file: PathBuf,
    /// Player whose view is shown, by its peer id [default: the one that was in the room for the
    /// longest time and is not the host]
    #[arg(long = "as", value_name = "PEER")]
    viewpoint: Option<PeerId>,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
}

/// Returns the server of a recording, whose commands are lines of standard input.
pub(crate) fn server(builder: ServerBuilder, args: &WatchArgs) -> Result<ServerBuilder, Failure> {
    let refused = |error: String| Failure::Refused(format!("{}: {error}", args.file.display()));
    let (longest, length) = longest_guest(&args.file).map_err(refused)?;
    let viewpoint = args.viewpoint.or(longest).ok_or_else(|| {
        refused("no player of the recording but the host; there is no view to watch".to_owned())
    })?;
    let control = WatchControl::new();
    let (events, reports) = sync_channel(EVENTS_MAX);
    let ends = Mutex::new(Some((control.clone(), events)));
    let file = args.file.clone();
    let room = move |_: &crate::RoomContext| room(&file, viewpoint, &ends);
    let text = format!(
        "watching {} as the player {viewpoint}, {} long\n\
        commands: pause, play, speed NUMBER, seek TIME, at\n",
        args.file.display(),
        shown(length)
    );
    let start = move |_| {
        print(&text);
        let _ = std::thread::Builder::new().spawn(move || read_commands(&control));
        let _ = std::thread::Builder::new().spawn(move || print_events(&reports));
    };
    Ok(builder.room_type(WATCH, room).default_type(WATCH).on_start(start))
}

/// Type of the room.
const WATCH: &str = "watch";
/// Number of events that were not printed yet.
const EVENTS_MAX: usize = 64;

type Ends = Mutex<Option<(WatchControl, SyncSender<WatchEvent>)>>;

fn room(file: &Path, viewpoint: PeerId, ends: &Ends) -> Result<Branch, BuildError> {
    let taken = ends.lock().ok().and_then(|mut ends| ends.take());
    // Only the first room receives commands of standard input.
    let (control, events) = taken.unwrap_or_else(|| (WatchControl::new(), sync_channel(1).0));
    let path = file.to_owned();
    let reopen = Box::new(move || open_file(&path));
    let seat = WatchSeat::new(reopen, viewpoint, control, events).map_err(|error| {
        BuildError::Setup { root_path: "/root".to_owned(), source: error.into() }
    })?;
    Branch::builder("/root").relay_policy(seat).build()
}

fn open_file(path: &Path) -> Result<WatchedReplay, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let source: Box<dyn Read> = Box::new(BufReader::new(file));
    open(source).map_err(|error| ErrorChain::new(&error).to_string())
}

/// Returns the player who was in the room for the longest time and was not the host then, and the
/// length of the recording.
fn longest_guest(path: &Path) -> Result<(Option<PeerId>, Duration), String> {
    let mut replay = open_file(path)?;
    let mut stays: BTreeMap<PeerId, (Option<Duration>, Duration)> = BTreeMap::new();
    let mut last = Duration::ZERO;
    for peer in guests(&mut replay) {
        stays.entry(peer).or_default().0 = Some(Duration::ZERO);
    }
    loop {
        let changes = replay.next_input().is_some_and(has_changes);
        match replay.step(&mut |_, _| {}) {
            Ok(Some(time)) => last = time,
            Ok(None) => break,
            // What could be read can be watched.
            Err(error) if last > Duration::ZERO => {
                let error = ErrorChain::new(&error).to_string();
                print(&format!("{}: {error}\n", path.display()));
                break;
            }
            Err(error) => return Err(ErrorChain::new(&error).to_string()),
        }
        if changes {
            let guests = guests(&mut replay);
            for (peer, (since, sum)) in &mut stays {
                if let Some(begun) = since.filter(|_| !guests.contains(peer)) {
                    (*since, *sum) = (None, *sum + (last - begun));
                }
            }
            for peer in guests {
                stays.entry(peer).or_default().0.get_or_insert(last);
            }
        }
    }
    let sum = |(since, sum): (Option<Duration>, Duration)| {
        sum + since.map_or(Duration::ZERO, |since| last - since)
    };
    let longest = stays.into_iter().max_by_key(|&(_, stay)| sum(stay));
    Ok((longest.map(|(peer, _)| peer), last))
}

fn has_changes(input: &ToBranch) -> bool {
    let ToBranch::Events(_, events) = input else { return true };
    events.iter().any(|event| !matches!(event, PeerEvent::Packet(_)))
}

/// Returns the players except the host.
fn guests<R: Read>(replay: &mut Replay<R, Branch>) -> Vec<PeerId> {
    let multiplayer = replay.machine().scene().multiplayer();
    let host = multiplayer.relay_policy::<HostSeat>().and_then(HostSeat::occupant);
    multiplayer.peers().filter(|peer| Some(*peer) != host).collect()
}

/// A line of standard input.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Command {
    Pause(bool),
    Speed(f64),
    Seek(Duration),
    Report,
}

/// Reads commands from standard input until it ends.
fn read_commands(control: &WatchControl) {
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        match parse(line.trim()) {
            Ok(Command::Pause(is_paused)) => control.set_paused(is_paused),
            Ok(Command::Speed(speed)) => control.set_speed(speed),
            Ok(Command::Report) => {}
            // Its end is printed.
            Ok(Command::Seek(time)) => {
                control.seek(time);
                continue;
            }
            Err(error) => {
                print(&format!("{error}\n"));
                continue;
            }
        }
        let status = control.status();
        let state = if status.is_paused { ", paused" } else { "" };
        print(&format!("at {}{state}\n", shown(status.position)));
    }
}

fn parse(line: &str) -> Result<Command, String> {
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (Some("pause"), None) => Ok(Command::Pause(true)),
        (Some("play"), None) => Ok(Command::Pause(false)),
        (Some("at"), None) => Ok(Command::Report),
        (Some("speed"), Some(speed)) => parse_speed(speed).map(Command::Speed),
        (Some("seek"), Some(time)) => parse_time(time).map(Command::Seek),
        _ => Err(format!("unknown command {line:?}; use pause, play, speed NUMBER, seek TIME, at")),
    }
}

/// Parses a speed.
pub(crate) fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if SPEEDS.contains(&speed) => Ok(speed),
        _ => Err(format!("{text:?} is not a speed; use a number from 0.1 to 100")),
    }
}

fn print_events(events: &Receiver<WatchEvent>) {
    for event in events {
        print(&match event {
            WatchEvent::Reached(time) => format!("at {}\n", shown(time)),
            WatchEvent::Ended => "the recording has ended; seek continues it\n".to_owned(),
            WatchEvent::Failed(error) => format!("the recording cannot be read further: {error}\n"),
            _ => continue,
        });
    }
}

fn print(text: &str) {
    // Without a reader of the output, the room goes on.
    let _ = output::print(io::stdout(), text.to_owned());
}

const AFTER_HELP: &str = r"Examples:
  mp-server watch lobby-1764500000.mprec
  mp-server watch lobby-1764500000.mprec --enet 127.0.0.1:7777 --ws off --webrtc off

In the game: peer.create_client(127.0.0.1, 7777), as for a server. Commands are lines of standard input:
  pause, play        stop, and go on
  speed 4            play four times as fast (0.1 to 100)
  seek 1:30          continue at a time: seconds, MM:SS or HH:MM:SS
  at                 print the time
A seek removes all spawned nodes and spawns those of that time with their properties. What calls (RPCs) changed
before that time is not repeated. Nodes of the scene itself keep what no property sets.

With a token of the admin API, mp-server ctl watch ROOM does the same.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_lines_of_words() {
        assert_eq!(parse("pause"), Ok(Command::Pause(true)));
        assert_eq!(parse("speed 2.5"), Ok(Command::Speed(2.5)));
        assert_eq!(parse("seek 1:30"), Ok(Command::Seek(Duration::from_secs(90))));
        for line in ["", "stop", "speed", "speed 0", "speed NaN", "seek x", "pause now"] {
            parse(line).unwrap_err();
        }
    }
}
