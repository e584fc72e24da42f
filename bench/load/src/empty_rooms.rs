//! Rooms without clients, created over the admin API.

use std::error::Error;
use std::ops::Range;

use clap::Parser;
use mp_bench_common::print_line;
use serde_json::json;

use crate::admin_client::{AdminClient, CREATED};
use crate::clock::{Clock, SECOND};
use crate::control::{Command, Commands};
use crate::percentile::percentile_us;

/// Options of rooms without clients.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// UDP port of the server on this machine; nothing is sent to it
    #[arg(long)]
    port: u16,
    /// TCP port of the server's admin API
    #[arg(long)]
    admin: u16,
    /// Number of rooms
    #[arg(long)]
    rooms: u32,
}

/// Creates the rooms, waits until the runner stops it, and reads the server's statistics several
/// times.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let clock = Clock::new();
    let commands = Commands::listen();
    let connect = |_| AdminClient::connect(args.admin);
    let mut admins = (0..CONNECTIONS).map(connect).collect::<Result<Vec<_>, _>>()?;
    // The first ones one after another to measure their times, the others at once.
    let measured = args.rooms.min(MEASURED);
    let mut creations = create(&mut admins[..1], 0..measured, clock)?;
    let started = clock.nanos();
    create(&mut admins, measured..args.rooms, clock)?;
    let seconds = (clock.nanos() - started) as f64 / SECOND as f64;
    let rate = f64::from(args.rooms - measured) / seconds;
    print_line("ready");
    loop {
        match commands.wait() {
            Command::Start => {}
            Command::Mark => print_line(&json!({ "operations": 0 }).to_string()),
            Command::Stop => break,
        }
    }
    // The server publishes its statistics once a second.
    let until = clock.nanos() + PUBLISH_TIMEOUT;
    while clock.nanos() < until {
        admins[0].scrape()?;
        if open_rooms(&admins[0].receive()?.body) == Some(args.rooms.into()) {
            break;
        }
    }
    let (mut scrapes, mut wrong) = (Vec::new(), 0);
    for _ in 0..SCRAPES {
        let started = clock.nanos();
        admins[0].scrape()?;
        let response = admins[0].receive()?;
        scrapes.push(clock.nanos() - started);
        let has_all = open_rooms(&response.body) == Some(args.rooms.into());
        wrong += u32::from(response.status != OK || !has_all);
    }
    let report = json!({
        "wrong": wrong,
        "duplicated": 0,
        "create_p50_us": percentile_us(&mut creations, 50),
        "create_p99_us": percentile_us(&mut creations, 99),
        "scrape_us": percentile_us(&mut scrapes, 100),
        "rooms_per_second": rate,
    });
    print_line(&report.to_string());
    Ok(())
}

/// Creates rooms, one at a time on each connection. Returns their times in nanoseconds.
fn create(
    admins: &mut [AdminClient],
    mut rooms: Range<u32>,
    clock: Clock,
) -> Result<Vec<u64>, Box<dyn Error>> {
    let mut times = Vec::new();
    // Times of the requests whose responses are expected, by connection.
    let mut requested = vec![None; admins.len()];
    loop {
        for (admin, requested) in admins.iter_mut().zip(&mut requested) {
            if let Some(started) = *requested {
                let Some(response) = admin.try_receive()? else { continue };
                if response.status != CREATED {
                    return Err(format!("a room was not created: {response:?}").into());
                }
                times.push(clock.nanos() - started);
                *requested = None;
            }
            if let Some(room) = rooms.next() {
                admin.create_room(&format!("empty-{room}"), true)?;
                *requested = Some(clock.nanos());
            }
        }
        if requested.iter().all(Option::is_none) {
            return Ok(times);
        }
    }
}

/// Returns the number of rooms in the statistics.
fn open_rooms(statistics: &str) -> Option<f64> {
    let mut values = statistics.lines().filter_map(|line| line.strip_prefix("mp_rooms "));
    values.next()?.parse().ok()
}

/// Connections to the admin API.
const CONNECTIONS: u32 = 16;
/// Number of rooms whose creation is measured.
const MEASURED: u32 = 500;
/// Number of times that the statistics are read. The slowest one is reported.
const SCRAPES: u32 = 20;
/// Time in which the statistics show all rooms.
const PUBLISH_TIMEOUT: u64 = 5 * SECOND;
const OK: u16 = 200;
