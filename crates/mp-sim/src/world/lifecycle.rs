//! Starts and ends processes.

use std::net::SocketAddr;
use std::time::Duration;

use mp_core::MultiplayerPeer;
use mp_scene::Branch;
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer, ServerOptions};

use super::process::Process;
use super::{Event, World};
use crate::journal::{FactKind, ProcessEnd, Recorder, RunId};
use crate::net::socket::SimSocket;
use crate::net::{SERVER_SLOT, SimulatedNetwork, SlotId};
use crate::rng_ext::RngExt;

/// Options of a server or a client with what the plan says of both.
macro_rules! adjusted {
    ($options:expr, $plan:expr) => {{
        let options = $options.mtu($plan.mtu).checksum($plan.wire.has_checksum);
        match $plan.has_small_queues {
            true => options
                .reliable_queue_bytes(512 << 10)
                .reliable_progress_timeout(Duration::from_secs(10))
                .unreliable_queue_bytes(8 << 10)
                .receive_queue_packets(32)
                .receive_queue_bytes(16 << 10),
            false => options,
        }
    }};
}

impl World {
    /// Starts a process in `slot`, unless one runs there.
    pub(super) fn start(&mut self, slot: SlotId) {
        if self.slots[slot].process.is_some() {
            return;
        }
        let run = RunId(self.next_run);
        self.next_run += 1;
        self.counters.programs += 1;
        let peers = if slot == SERVER_SLOT { self.server_peers() } else { self.client_peer(slot) };
        let id = peers[0].unique_id();
        // Only in the active phase: a client without the password would keep the world from
        // settling.
        let forgets = self.is_active && self.plan.authenticates && self.rngs.lifecycle.chance(150);
        let has_credentials = slot == SERVER_SLOT || !forgets;
        let recorder = Recorder::new(run, slot, has_credentials, self.journal.clone());
        recorder.record(FactKind::Started { slot, id, has_credentials });

        let mut builder = Branch::builder("/root/Game")
            .seed(self.rngs.branches.next_seed())
            .server_relay(self.plan.relays);
        for workload in &mut self.workloads {
            workload.program_started(id, run);
            builder = workload.configure(builder, &recorder);
        }
        let branch = builder.build().expect("node names of workloads are unique");
        // Local clocks start at random times; some will wrap ENet's 16-bit sent time.
        let clock_offset =
            self.rngs.lifecycle.duration(Duration::from_secs(1), Duration::from_secs(200_000));
        let process = Process::new(recorder, id, branch, peers, self.plan.mailbox, clock_offset);
        let actors: Vec<_> = process.actors().collect();
        self.slots[slot].process = Some(process);
        for actor in actors {
            self.wake(slot, actor);
        }
        self.schedule_act(slot, run);
    }

    /// Ends the process in `slot`, and schedules the next start.
    pub(super) fn end_process(&mut self, slot: SlotId, end: ProcessEnd) {
        let Some(process) = self.slots[slot].process.take() else { return };
        process.recorder.record(FactKind::Ended(end));
        self.network.unbind(slot);
        let pause = self.rngs.lifecycle.until(Duration::from_millis(1_500));
        self.event_queue.push(self.now + pause, Event::Start(slot));
    }

    fn server_peers(&mut self) -> Vec<EnetMultiplayerPeer<SimSocket>> {
        let count = self.plan.server_endpoints;
        (0..count)
            .map(|number| {
                let address = SimulatedNetwork::server_address(number);
                let socket = self.network.bind(SERVER_SLOT, number, address);
                let mut options = adjusted!(ServerOptions::default(), self.plan);
                options = options.seed(self.rngs.lifecycle.next_seed());
                if self.plan.has_small_queues {
                    options = options.datagrams_per_poll(4).max_half_open(4);
                }
                EnetMultiplayerPeer::server(socket, options).expect("server options are valid")
            })
            .collect()
    }

    fn client_peer(&mut self, slot: SlotId) -> Vec<EnetMultiplayerPeer<SimSocket>> {
        let old = self.slots[slot].old_address.take();
        let address = old.unwrap_or_else(|| self.network.client_address(slot));
        let number = self.rngs.lifecycle.below(self.plan.server_endpoints as u64) as usize;
        let server = SimulatedNetwork::server_address(number);
        loop {
            let options = adjusted!(ClientOptions::default(), self.plan);
            let options = options.seed(self.rngs.lifecycle.next_seed());
            let peer = self.client_at(slot, address, server, options);
            if self.programs.is_unused(peer.unique_id()) {
                return vec![peer];
            }
        }
    }

    fn client_at(
        &mut self,
        slot: SlotId,
        address: SocketAddr,
        server: SocketAddr,
        options: ClientOptions,
    ) -> EnetMultiplayerPeer<SimSocket> {
        let socket = self.network.bind(slot, 0, address);
        EnetMultiplayerPeer::client(socket, server, options).expect("client options are valid")
    }
}
