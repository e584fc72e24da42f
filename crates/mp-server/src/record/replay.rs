//! `mp-server replay`: feeds an equal room with a recording, and compares what it sends.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use mp_core::{ErrorChain, Instant};
use mp_record::{
    BlockWriter, Difference, Facts, Progress, RecordingEnd, RecordingError, RecordingHeader,
    RecordingReader, Replay, end_block,
};
use mp_scene::{Branch, BuildError};

use super::PROGRAM;
use crate::relay::{PlayerFacts, RelaySettings};
use crate::rooms::Identities;
use crate::{Failure, output};

/// Replay a recording of a room, and compare what the room sends
///
/// The recorded packets are fed to a new room with the recorded settings, random seed and times. It
/// sends the same bytes as the recorded one, or the first turn that differs is printed.
#[derive(Args, Debug)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct ReplayArgs {
    /// Recording, a file of template.NAME.record
    file: PathBuf,
    /// Time after which the replay ends: seconds, MM:SS or HH:MM:SS
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Duration>,
    /// Write a Rust test that replays the recording up to the end of the replay, and the recording
    /// beside it
    #[arg(long, value_name = "FILE")]
    export_test: Option<PathBuf>,
}

/// The result of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// The first turn that differs; `None` if the room has sent the same bytes.
    pub difference: Option<Difference>,
    /// Number of turns that were compared.
    pub turns: u64,
    /// Number of calls of the program into the room, such as announcements, which were not
    /// repeated.
    pub calls: u64,
    /// End of the recording; `None` if it was not reached.
    pub end: Option<RecordingEnd>,
    /// The part that was read.
    pub progress: Progress,
}

/// The reason why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The recording cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The room cannot be built.
    #[error("the room cannot be built")]
    Build(#[from] BuildError),
    /// The recording is of another kind of room, or has settings that this version does not know.
    #[error("{0}")]
    Settings(String),
}

/// Replays a recording of a room of the type `relay`, to its end or an error. A damaged recording
/// is replayed as far as it can be read; the error says where it ends.
///
/// # Errors
///
/// [`ReplayError`].
pub fn replay_recording(recording: impl Read) -> Result<Replayed, ReplayError> {
    let mut replay = open(recording)?;
    while replay.step(&mut |_, _| {})?.is_some() {}
    Ok(result(&replay))
}

/// Starts the replay of a relay room.
pub(crate) fn open<R: Read>(recording: R) -> Result<Replay<R, Branch>, ReplayError> {
    Replay::new(RecordingReader::new(recording)?, room)
}

fn room(header: &RecordingHeader, facts: Facts) -> Result<Branch, ReplayError> {
    if header.kind != crate::plan::RELAY {
        return Err(ReplayError::Settings(format!(
            "the recording is of a room of the type {:?}; this program replays rooms of the type {:?}",
            header.kind,
            crate::plan::RELAY
        )));
    }
    let settings = serde_json::from_str::<RelaySettings>(&header.config);
    let settings = settings.map_err(|error| {
        let from = &header.program;
        ReplayError::Settings(format!("unknown settings in a recording of {from}: {error}"))
    })?;
    let facts = PlayerFacts::new(facts, Identities::default());
    let mut branch = settings.build(header.seed, facts.clone())?;
    settings.apply(&mut branch, facts);
    Ok(branch)
}

fn result<R: Read>(replay: &Replay<R, Branch>) -> Replayed {
    Replayed {
        difference: replay.difference(),
        turns: replay.turns(),
        calls: replay.calls(),
        end: replay.end(),
        progress: replay.progress(),
    }
}

/// Runs the command.
pub(crate) fn run(args: &ReplayArgs) -> Result<(), Failure> {
    let path = args.file.display();
    let file = File::open(&args.file);
    let file = file.map_err(|error| Failure::Refused(format!("cannot open {path}: {error}")))?;
    let mut replay = open(BufReader::new(file))
        .map_err(|error| Failure::Refused(format!("{path}: {}", ErrorChain::new(&error))))?;
    let header = replay.header().clone();
    let read = run_until(&mut replay, args.until);
    let replayed = result(&replay);
    if let Some(test) = &args.export_test {
        export(test, &args.file, &header, &replayed).map_err(|error| {
            Failure::Refused(format!("cannot write {}: {error}", test.display()))
        })?;
    }
    print(&describe(&header, replay.has_beginning(), &replayed))?;
    match (read, replayed.difference) {
        (Err(error), _) => Err(Failure::Unfit(format!("{path}: {}", ErrorChain::new(&error)))),
        (Ok(()), Some(difference)) => Err(Failure::Unfit(describe_difference(&difference))),
        (Ok(()), None) => Ok(()),
    }
}

/// Replays the frames up to `until`.
fn run_until<R: Read>(
    replay: &mut Replay<R, Branch>,
    until: Option<Duration>,
) -> Result<(), RecordingError> {
    while until.is_none_or(|until| replay.next_time().is_some_and(|next| next <= until)) {
        if replay.step(&mut |_, _| {})?.is_none() {
            break;
        }
    }
    Ok(())
}

/// Returns a summary of a replay.
fn describe(header: &RecordingHeader, has_beginning: bool, replayed: &Replayed) -> String {
    let Replayed { turns, calls, progress, .. } = replayed;
    let time = shown(progress.time);
    let mut text = format!(
        "room {:?}, recorded by {} (this is {PROGRAM})\n\
        {time} in {} frames, {} bytes, {turns} turns: ",
        header.name, header.program, progress.frames, progress.bytes
    );
    text += match replayed.difference {
        None => "the room sends the same bytes\n",
        Some(_) => "the room sends other bytes\n",
    };
    if !has_beginning {
        text += "the recording has no beginning: record_minutes was set, or an operator has started it\n";
    }
    if *calls > 0 {
        text += &format!("{calls} calls of the server into the room were not repeated\n");
    }
    text + match replayed.end {
        None => "the end of the recording was not reached\n",
        Some(RecordingEnd::BranchEnded) => "the recording is complete\n",
        Some(RecordingEnd::WriterSlow) => "the recording ends early: the disk was too slow\n",
        Some(RecordingEnd::QuotaReached) => "the recording ends early: the quota was reached\n",
        Some(RecordingEnd::WriteFailed) => "the recording ends early: it could not be written\n",
        Some(RecordingEnd::Stopped) => "the recording is complete: an operator has stopped it\n",
    }
}

fn describe_difference(difference: &Difference) -> String {
    let Difference { turn, at, recorded, replayed, calls, .. } = difference;
    let cause = match calls {
        0 => "another version of mp, or a room that depends on more than its input",
        _ => "the server called the room before, for example for an announcement",
    };
    format!(
        "turn {turn} at {} is the first that differs: {} messages of {} bytes were recorded, and the \
        replay sends {} of {} (checksums {:08x} and {:08x}); possible cause: {cause}",
        shown(*at),
        recorded.messages,
        recorded.bytes,
        replayed.messages,
        replayed.bytes,
        recorded.checksum,
        replayed.checksum
    )
}

/// Writes a test, and beside it the part of the recording that was read.
fn export(
    test: &Path,
    recording: &Path,
    header: &RecordingHeader,
    replayed: &Replayed,
) -> io::Result<()> {
    let copy = test.with_extension("mprec");
    let len = header.encode()?.len() as u64 + replayed.progress.bytes;
    let mut bytes = Vec::new();
    File::open(recording)?.take(len).read_to_end(&mut bytes)?;
    if replayed.end.is_none() {
        let end = end_block(last_time(&bytes)?, RecordingEnd::BranchEnded);
        bytes.extend(BlockWriter::new()?.encode(&end)?);
    }
    fs::write(&copy, bytes)?;
    let file = copy.file_name().unwrap_or_default().to_string_lossy();
    let mut out = File::create(test)?;
    out.write_all(TEST.replace("FILE", &file).as_bytes())
}

/// Returns the time of the last frame of a recording without an end.
fn last_time(recording: &[u8]) -> io::Result<Instant> {
    let mut reader = RecordingReader::new(recording).map_err(io::Error::other)?;
    while reader.next_frame().map_err(io::Error::other)?.is_some() {}
    Ok(reader.last_time())
}

/// A test of a recording.
const TEST: &str = r#"//! A recorded session as a test: the room sends the bytes that it sent then.

#[test]
fn recorded_session_replays_to_the_byte() {
    let recording: &[u8] = include_bytes!("FILE");
    let replayed = mp_server::replay_recording(recording).expect("a recording of this version");
    assert_eq!(replayed.difference, None);
    assert!(replayed.turns > 0);
}
"#;

fn print(text: &str) -> Result<(), Failure> {
    let printed = output::print(io::stdout(), text.to_owned());
    printed.map_err(|error| Failure::Unprinted(format!("cannot print: {error}")))
}

/// Returns a time as `HH:MM:SS.mmm`.
pub(crate) fn shown(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Parses seconds, `MM:SS` or `HH:MM:SS`.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    let parts = text.split(':').map(str::parse::<f64>).collect::<Result<Vec<_>, _>>();
    let seconds = parts
        .ok()
        .filter(|parts| parts.len() <= 3)
        .map(|parts| parts.iter().fold(0.0, |sum, part| sum * 60.0 + part));
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| format!("{text:?} is not a time; use seconds, MM:SS or HH:MM:SS"))
}

const AFTER_HELP: &str = r"Examples:
  mp-server replay lobby-1764500000.mprec
  mp-server replay lobby-1764500000.mprec --until 12:30
  mp-server replay lobby-1764500000.mprec --until 90 --export-test tests/stuck_door.rs

Exit codes: 0 if the room sends the same bytes, 1 if it does not or the recording is damaged (what could be
read is replayed), 2 if this is no recording of this version. A recording contains what players wrote in chats.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_parsed_and_shown() {
        for (text, millis) in
            [("90", 90_000), ("1.5", 1_500), ("1:30", 90_000), ("1:00:01", 3_601_000)]
        {
            assert_eq!(parse_time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "a", "-1", "1:2:3:4", "1e300", "NaN"] {
            parse_time(text).unwrap_err();
        }
        assert_eq!(shown(Duration::from_millis(3_661_007)), "01:01:01.007");
    }
}
