//! Measures empty relay rooms: memory of each, time to create one, and CPU time while nothing
//! happens. Linux only.
//!
//!     cargo run --release -p mp-server --example empty_rooms -- 10000

use std::process::ExitCode;
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_server::mp_rooms::RoomName;
use mp_server::{RoomsHandle, ServerBuilder};

fn main() -> ExitCode {
    let rooms = std::env::args().nth(1).and_then(|given| given.parse().ok()).unwrap_or(10_000);
    let config = std::env::temp_dir().join(format!("empty-rooms-{}.toml", std::process::id()));
    if let Err(error) = std::fs::write(&config, CONFIG) {
        eprintln!("{}: {error}", config.display());
        return ExitCode::FAILURE;
    }
    let args = ["empty_rooms".into(), "--config".into(), config.into_os_string()];
    ServerBuilder::new()
        .on_start(move |handle| drop(actix::spawn(measure(handle, rooms))))
        .run(args)
}

async fn measure(handle: RoomsHandle, rooms: usize) {
    let clock = SystemClock::new();
    let template = RoomName::new("default").expect("a valid name");
    let before = process();
    let (start, mut slowest) = (clock.now(), Duration::ZERO);
    for number in 0..rooms {
        let name = RoomName::new(&format!("room-{number}")).expect("a valid name");
        let since = clock.now();
        if let Err(error) = handle.create(name, &template).await {
            eprintln!("room {number}: {error}");
            std::process::exit(1);
        }
        slowest = slowest.max(clock.now() - since);
    }
    let (took, after) = (clock.now() - start, process());
    let kib = (after.resident_kib - before.resident_kib) as f64 / rooms as f64;
    println!("{kib:.1} KiB per empty room, of {rooms}");
    println!(
        "{:.3} ms to create one, {slowest:?} at most",
        took.as_secs_f64() * 1e3 / rooms as f64
    );
    tokio::time::sleep(IDLE_TIME).await;
    let ticks = process().ticks - after.ticks;
    let share = ticks as f64 / TICKS_PER_SECOND / IDLE_TIME.as_secs_f64();
    println!("{:.2} % of a core while idle for {IDLE_TIME:?}", share * 100.0);
    std::process::exit(0);
}

/// Resident memory and CPU time of this process.
struct Usage {
    resident_kib: u64,
    ticks: u64,
}

fn process() -> Usage {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/self/{file}"));
    let statm = read("statm").expect("a Linux system");
    let stat = read("stat").expect("a Linux system");
    let pages: u64 = statm.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or_default();
    // Fields after the program's name, which may contain spaces: the 12th and 13th are CPU time.
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|it| it.parse::<u64>().ok());
    Usage { resident_kib: pages * 4, ticks: ticks.sum() }
}

const IDLE_TIME: Duration = Duration::from_secs(20);
const TICKS_PER_SECOND: f64 = 100.0;
const CONFIG: &str = r#"
[[listen]]
transport = "enet"
address = "127.0.0.1:0"
select = "auth"

[[listen]]
transport = "websocket"
address = "127.0.0.1:0"
select = "path"

[template.default]
empty_timeout = 3600

[limits]
max_rooms = 100000
"#;
