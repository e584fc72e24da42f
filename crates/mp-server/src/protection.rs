//! [`Protection`]: refuses newcomers while the server lacks memory, or does not keep up.

use std::time::Duration;

use mp_core::ConnectionGate;
use mp_core::host::SystemClock;
use mp_rooms::{OverloadMonitor, Shortage};

use crate::config::LimitsConfig;
use crate::memory::{self, MemoryLimit};
use crate::rooms::RoomsHandle;

/// The task that measures the memory of the server, the lateness of the thread of the endpoints, on
/// which it runs, and that of the threads of rooms.
pub(crate) struct Protection {
    gate: ConnectionGate,
    rooms: RoomsHandle,
    memory: Option<MemoryLimit>,
    load: Option<OverloadMonitor>,
    shortage: Option<Shortage>,
}

impl Protection {
    /// Returns the task; `None` if nothing is limited.
    pub(crate) fn new(
        limits: &LimitsConfig,
        gate: ConnectionGate,
        rooms: RoomsHandle,
    ) -> Option<Self> {
        let memory = limits.max_memory.map(MemoryLimit::new);
        let load = limits.max_lateness.map(OverloadMonitor::new);
        let is_needed = memory.is_some() || load.is_some();
        is_needed.then_some(Self { gate, rooms, memory, load, shortage: None })
    }

    /// Measures until the server has ended.
    pub(crate) async fn run(mut self) {
        let interval = self.load.map_or(memory::CHECK_INTERVAL, |_| LATENESS_INTERVAL);
        let clock = SystemClock::new();
        let mut memory_due = clock.now();
        loop {
            let due = clock.now() + interval;
            tokio::time::sleep(interval).await;
            let now = clock.now();
            let mut is_overloaded = false;
            if let Some(endpoints) = &mut self.load {
                let Ok(rooms) = self.rooms.measure_threads().await else { return };
                is_overloaded = endpoints.record(now, now - due) || rooms;
            }
            let mut lacks_memory = self.shortage == Some(Shortage::Memory);
            if let Some(memory) = self.memory.as_mut().filter(|_| now >= memory_due) {
                memory_due = now + memory::CHECK_INTERVAL;
                let Some(used) = memory::resident_bytes() else {
                    tracing::warn!(
                        "max_memory is not enforced: this system does not report the memory in use"
                    );
                    self.memory = None;
                    continue;
                };
                lacks_memory = memory.update(used);
            }
            let shortage = match (lacks_memory, is_overloaded) {
                (true, _) => Some(Shortage::Memory),
                (false, true) => Some(Shortage::Load),
                (false, false) => None,
            };
            if shortage == self.shortage {
                continue;
            }
            tracing::warn!(
                ?shortage,
                "new players and rooms are refused while there is a shortage"
            );
            self.shortage = shortage;
            self.gate.set_out_of_memory(lacks_memory);
            self.gate.set_overloaded(is_overloaded);
            if self.rooms.set_shortage(shortage).await.is_err() {
                return;
            }
        }
    }
}

/// Time between two measurements of the lateness.
const LATENESS_INTERVAL: Duration = Duration::from_millis(100);
