//! [`RoomCreator`]: rooms that are created at a fixed rate while clients play.

use std::error::Error;

use serde_json::Value;

use crate::admin_client::{AdminClient, CREATED};
use crate::clock::SECOND;
use crate::percentile::percentile_us;

/// Creates rooms over the admin API. The server closes them again, as no client joins them.
pub(crate) struct RoomCreator {
    admin: AdminClient,
    /// Time between two rooms in nanoseconds.
    step: u64,
    /// Time at which the next room is due; `None`: not started.
    due: Option<u64>,
    /// Time at which the room was due whose response is expected.
    requested: Option<u64>,
    sent: u64,
    created: u64,
    refused: u64,
    /// Times from when rooms were due until they were open, in nanoseconds.
    durations: Vec<u64>,
}

impl RoomCreator {
    /// Connects to the admin API at a port. `rate`: rooms per second.
    pub(crate) fn connect(port: u16, rate: u32) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            admin: AdminClient::connect(port)?,
            step: SECOND / u64::from(rate.max(1)),
            due: None,
            requested: None,
            sent: 0,
            created: 0,
            refused: 0,
            durations: Vec::new(),
        })
    }

    pub(crate) const fn start(&mut self, now: u64) {
        self.due = Some(now);
    }

    pub(crate) const fn stop(&mut self) {
        self.due = None;
    }

    /// Handles a response, and requests the next room if it is due. A room that cannot be requested
    /// yet is requested late, and its time counts from when it was due.
    pub(crate) fn turn(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        if let Some(requested) = self.requested {
            let Some(response) = self.admin.try_receive()? else { return Ok(()) };
            self.requested = None;
            self.durations.push(now - requested);
            match response.status {
                CREATED => self.created += 1,
                _ => self.refused += 1,
            }
        }
        if let Some(due) = self.due.filter(|&due| now >= due) {
            self.admin.create_room(&format!("short-lived-{}", self.sent), false)?;
            (self.requested, self.due) = (Some(due), Some(due + self.step));
            self.sent += 1;
        }
        Ok(())
    }

    /// Adds the number of rooms created so far.
    pub(crate) fn mark(&self, counters: &mut Value) {
        counters["rooms"] = self.created.into();
    }

    /// Adds the times, and counts refused rooms as wrong.
    pub(crate) fn report(&mut self, report: &mut Value) {
        report["create_p50_us"] = percentile_us(&mut self.durations, 50).into();
        report["create_p99_us"] = percentile_us(&mut self.durations, 99).into();
        report["wrong"] = (report["wrong"].as_u64().unwrap_or(0) + self.refused).into();
    }
}
