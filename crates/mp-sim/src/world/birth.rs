//! How processes begin and end.

use std::net::SocketAddr;
use std::time::Duration;

use mp_core::{MultiplayerPeer, Rng};
use mp_scene::Branch;
use mp_transport_enet::proto::HostSettings;
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer, ServerOptions};

use super::process::Process;
use super::{Event, World};
use crate::dice::Dice;
use crate::journal::{Ear, End, Run, What};
use crate::net::socket::SimSocket;
use crate::net::{Network, PlaceId, SERVER_PLACE};

impl World {
    /// A process starts at `place`, unless there is one.
    pub(super) fn start(&mut self, place: PlaceId) {
        if self.places[place].process.is_some() {
            return;
        }
        let run = Run(self.next_run);
        self.next_run += 1;
        self.counts.runs += 1;
        let peers =
            if place == SERVER_PLACE { self.server_peers() } else { self.client_peer(place) };
        let id = peers[0].unique_id();
        // Somebody always forgets the password; but then the world would not come to rest.
        let forgets = self.is_stormy && self.plan.authenticates && self.dice.births.chance(150);
        let has_credentials = place == SERVER_PLACE || !forgets;
        let ear = Ear::new(run, place, has_credentials, self.journal.clone());
        ear.note(What::Began { place, id, has_credentials });

        let mut builder = Branch::builder("/root/Game").server_relay(self.plan.relays);
        for workload in &mut self.workloads {
            workload.introduce(id, run);
            builder = workload.equip(builder, &ear);
        }
        let branch = builder.build().expect("the workloads' nodes have different names");
        // Clocks are what they are: some of these are about to wrap ENet's 16 bits.
        let clock = self.dice.births.duration(Duration::from_secs(1), Duration::from_secs(200_000));
        let process = Process::new(ear, id, branch, peers, self.plan.mailbox, clock);
        let actors: Vec<_> = process.actors().collect();
        self.places[place].process = Some(process);
        for actor in actors {
            self.wake(place, actor);
        }
        self.schedule_act(place, run);
    }

    /// A process is no more; another will be.
    pub(super) fn bury(&mut self, place: PlaceId, end: End) {
        let Some(process) = self.places[place].process.take() else { return };
        process.ear.note(What::Ended(end));
        self.network.unbind(place);
        let pause = self.dice.births.until(Duration::from_millis(1_500));
        self.heap.push(self.now + pause, Event::Start(place));
    }

    fn server_peers(&mut self) -> Vec<EnetMultiplayerPeer<SimSocket>> {
        let count = self.plan.server_endpoints;
        (0..count)
            .map(|number| {
                let address = Network::server_address(number);
                let socket = self.network.bind(SERVER_PLACE, number, address);
                let mut options = ServerOptions::default();
                self.adjust(&mut options.host);
                options.seed = Some(seed(&mut self.dice.births));
                if self.plan.has_small_queues {
                    options.datagrams_per_poll = 4;
                }
                EnetMultiplayerPeer::server(socket, options).expect("the options are good")
            })
            .collect()
    }

    fn client_peer(&mut self, place: PlaceId) -> Vec<EnetMultiplayerPeer<SimSocket>> {
        let old = self.places[place].old_address.take();
        let address = old.unwrap_or_else(|| self.network.client_address(place));
        let number = self.dice.births.below(self.plan.server_endpoints as u64) as usize;
        let server = Network::server_address(number);
        loop {
            let mut options = ClientOptions::default();
            self.adjust(&mut options.host);
            options.seed = Some(seed(&mut self.dice.births));
            let peer = self.client_at(place, address, server, options);
            if self.census.is_new(peer.unique_id()) {
                return vec![peer];
            }
        }
    }

    fn client_at(
        &mut self,
        place: PlaceId,
        address: SocketAddr,
        server: SocketAddr,
        options: ClientOptions,
    ) -> EnetMultiplayerPeer<SimSocket> {
        let socket = self.network.bind(place, 0, address);
        EnetMultiplayerPeer::client(socket, server, options).expect("the options are good")
    }

    fn adjust(&self, settings: &mut HostSettings) {
        settings.mtu = self.plan.mtu;
        settings.checksum = self.plan.wire.has_checksum;
        if self.plan.has_small_queues {
            settings.reliable_queue_bytes = 512 << 10;
            settings.reliable_progress_timeout = Duration::from_secs(10);
            settings.unreliable_queue_bytes = 8 << 10;
            settings.receive_queue_packets = 32;
            settings.receive_queue_bytes = 16 << 10;
            settings.half_open_max = 4;
        }
    }
}

fn seed(rng: &mut Rng) -> [u8; 32] {
    let mut seed = [0; 32];
    for chunk in seed.chunks_exact_mut(8) {
        chunk.copy_from_slice(&rng.next_u64().to_le_bytes());
    }
    seed
}
