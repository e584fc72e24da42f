//! The life of the program: it opens the rooms, and closes them at a signal.

use std::net::SocketAddr;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use mp_actor::{BranchRef, EndReason};
use mp_rooms::{RoomId, RoomName, Template};

use crate::acme::Acme;
use crate::addresses::{Addresses, Listeners};
use crate::admin::{Admin, Operated};
use crate::agones::Agones;
use crate::banner::{Secured, Selections};
use crate::bans::BanRegistry;
use crate::config::{Config, ListenConfig, RoomSelection};
use crate::identity::Authentication;
use crate::listeners::{self, failure};
use crate::log_queue::LogQueue;
use crate::matchmaking::{Matchmaking, PublicAddresses};
use crate::metrics::Metrics;
use crate::network::{Network, NetworkSettings};
use crate::plan::RoomsPlan;
use crate::protection::Protection;
use crate::query::ServerQueries;
use crate::reload::{LiveConfig, Reloader};
use crate::rooms::RoomsHandle;
use crate::server::ServerBuilder;
use crate::service::ServiceManager;
use crate::shutdown::{DrainRequests, SIGTERM, Shutdown};
use crate::snapshots::SnapshotStore;
use crate::{
    Failure, banner, certificates, cluster, identity, link, live_limits, live_rooms, options,
};

/// Runs the rooms until a signal stops them, or until the only room ends.
pub(crate) async fn run(
    builder: ServerBuilder,
    live: &LiveConfig,
    reloader: Reloader,
    logs: &LogQueue,
    metrics: &Metrics,
    service: ServiceManager,
) -> Result<(), Failure> {
    let config = &*Arc::clone(&live.borrow());
    // Before any output shows that the program runs.
    let mut shutdown =
        Shutdown::new().map_err(|e| Failure::Refused(format!("cannot listen for signals: {e}")))?;
    let tls = options::tls(config).map_err(Failure::Refused)?;
    let listeners = Listeners::new(config).map_err(Failure::Refused)?;
    let mut plan = RoomsPlan::new(config, &builder.default_type).map_err(Failure::Refused)?;
    let node = match builder.cluster {
        Some(node) => Some(node),
        None => cluster::join(&config.cluster).await.map_err(Failure::Refused)?,
    };
    // A node goes on when a room ends, whose players may be on other nodes.
    plan.is_single_room &= node.is_none();
    identity::warn_of_risks(config);
    let gate = metrics.gate().clone();
    gate.set_limits(config.limits.gate_limits());
    let bans = BanRegistry::load(gate.clone(), config.limits.ban_file.clone());
    let bans = bans.map_err(|error| Failure::Refused(format!("cannot read the bans: {error}")))?;
    let snapshots = snapshots(config)?;
    if let Some(snapshots) = &snapshots {
        metrics.set_snapshots(snapshots.clone());
    }
    let settings = NetworkSettings {
        types: builder.types,
        rooms: plan.registry(),
        max_threads: builder.threads,
        max_lateness: config.limits.max_lateness,
        silence: config.webrtc.silence_timeout,
        receive_limits: config.limits.receive_limits(),
        authentication: Authentication::new(&config.identity).map_err(Failure::Refused)?,
        gate: gate.clone(),
        bans: bans.clone(),
        metrics: metrics.clone(),
        snapshots,
        is_single_room: plan.is_single_room,
        link: link::initial(config)?,
    };
    let mut network = Network::start(settings).await.map_err(failure)?;
    network.spawn(async move { bans.expire().await });
    let cluster = match node {
        Some(node) => {
            let capacity = u32::from(options::max_clients(config));
            let started = node.start(network.rooms(), capacity).await;
            let node = started
                .map_err(|error| Failure::Refused(format!("cannot join the cluster: {error}")))?;
            metrics.set_cluster(node.stats.clone());
            Some(node)
        }
        None => None,
    };
    if let Some(protection) = Protection::new(&config.limits, gate, network.rooms().clone()) {
        network.spawn(protection.run());
    }
    let drain_requests = DrainRequests::new();
    let operated = Operated {
        live: live.clone(),
        rooms: network.rooms().clone(),
        only_room: plan.only_room().cloned(),
        reloader,
        drain_requests: drain_requests.clone(),
        recordings: metrics.recordings().clone(),
        cluster: cluster.as_ref().map(|node| node.stats.clone()),
    };
    let admin = Admin::open(operated)?;
    let mut created = Vec::new();
    for (name, template) in &plan.rooms {
        match create(network.rooms(), name, template).await {
            Ok(room) => created.push(room),
            // Another node has the room, or the first join creates it.
            Err(failure) if cluster.is_some() => {
                tracing::info!(%name, %failure, "not created here")
            }
            Err(failure) => return Err(failure),
        }
    }
    let queries = ServerQueries::new(config);
    let agones = Agones::new(config).map_err(Failure::Refused)?;
    let addresses =
        listeners::open(&mut network, &plan, &listeners, tls.clone(), live, queries.as_ref())
            .await?;
    if let Some((queries, enet)) = queries.zip(addresses.enet) {
        metrics.set_queries(queries.clone());
        actix::spawn(queries.follow(live.clone(), network.rooms().clone(), enet.port()));
    }
    let only = match created[..] {
        [room] if plan.is_single_room => network.rooms().branch(room).await.ok().flatten(),
        _ => None,
    };
    if let Some(room) = &only {
        network.serve(room).await.map_err(failure)?;
    }
    let max_clients = match (&only, &plan.rooms[..]) {
        (Some(_), [(_, template)]) => template.max_players,
        _ => options::max_clients(config),
    };
    let setup = admin.as_ref().and_then(|admin| admin.set_listening(addresses));
    let public = PublicAddresses::new(config, &listeners, addresses);
    if cluster.is_some() {
        network.rooms().advertise(public.contact(&config.cluster)).await;
    }
    let (settings, identity) = (&config.matchmaking, &config.identity);
    let servers = cluster.as_ref().map(|node| node.stats.clone());
    let matchmaking = Matchmaking::open(settings, identity, network.rooms(), public, servers)?;
    let Addresses { enet, ws, webrtc, signaling } = addresses;
    tracing::info!(enet = %shown(enet), ws = %shown(ws), webrtc = %shown(webrtc), signaling = %shown(signaling), tls = tls.is_some(), max_clients, "listening");
    let is_secure = |listener: Option<&ListenConfig>| listener.is_some_and(|it| it.tls);
    let secured = Secured {
        enet: is_secure(listeners.enet.first().copied()),
        ws: is_secure(listeners.tcp()),
    };
    let selection = |listener: Option<&ListenConfig>| {
        listener.map_or(RoomSelection::Fixed, |listener| listener.select)
    };
    let selections = Selections {
        enet: selection(listeners.enet.first().copied()),
        ws: selection(listeners.ws.first().copied()),
    };
    let banner = banner::print(
        addresses,
        secured,
        selections,
        max_clients,
        config.matchmaking.public_host.as_deref(),
    );
    if let Err(error) = banner.and_then(|()| setup.map_or(Ok(()), banner::print_text)) {
        tracing::warn!(%error, "cannot write to standard output");
    }
    let acme = Acme::start(config, tls.as_ref(), metrics.clone()).map_err(Failure::Refused)?;
    if let Some(tls) = tls {
        let has_dtls = listeners.enet.iter().any(|it| it.tls);
        actix::spawn(certificates::watch(tls, has_dtls, metrics.clone()));
    }

    let rooms = network.rooms().clone();
    service.ready();
    if let Some(agones) = agones.clone() {
        actix::spawn(agones.run(rooms.clone()));
    }
    actix::spawn(service.clone().report(rooms.clone()));
    actix::spawn(live_limits::follow(live.clone(), network.gate().clone(), rooms.clone()));
    actix::spawn(live_rooms::follow(live.clone(), plan, builder.default_type, rooms));
    if let Some(run) = builder.on_start {
        run(network.rooms().clone());
    }
    let (cause, drain_timeout) = tokio::select! {
        signal = shutdown.next() => match signal {
            SIGTERM => (SIGTERM, live.borrow().shutdown.drain_timeout),
            _ => (signal, Duration::ZERO),
        },
        timeout = drain_requests.next() => ("request of an operator", timeout),
        ended = closed(only.as_ref()) => return Err(Failure::Ended(ended.to_string())),
    };
    tracing::info!(cause, ?drain_timeout, "closing");
    service.stopping(drain_timeout);
    tokio::select! {
        () = network.rooms().drain(drain_timeout) => {}
        signal = shutdown.next() => {
            tracing::warn!(signal, "exiting without disconnecting the players");
            logs.flush_bounded();
            process::exit(EXIT_AT_ONCE);
        }
    }
    if let Some(node) = cluster {
        node.ended().await;
    }
    metrics.recordings().finish();
    drop(acme);
    if let Some(agones) = agones {
        agones.shutdown().await;
    }
    if let Some(matchmaking) = matchmaking {
        matchmaking.close().await;
    }
    if let Some(admin) = admin {
        admin.close().await;
    }
    match only.and_then(|room| room.ended()) {
        Some(ended @ EndReason::Panicked(_)) => Err(Failure::Ended(ended.to_string())),
        _ => {
            tracing::info!("closed");
            Ok(())
        }
    }
}

/// Returns the states of rooms that are kept, whose folder is created.
fn snapshots(config: &Config) -> Result<Option<SnapshotStore>, Failure> {
    let Some(folder) = config.snapshots.folder() else { return Ok(None) };
    if let Err(error) = folder.prepare() {
        let path = folder.path().display();
        return Err(Failure::Refused(format!(
            "cannot write to the folder {path}: {error}; correct snapshots.folder, or its permissions"
        )));
    }
    Ok(Some(SnapshotStore::new(folder)))
}

async fn create(
    rooms: &RoomsHandle,
    name: &RoomName,
    template: &Template,
) -> Result<RoomId, Failure> {
    let created = rooms.create_with(name.clone(), template.clone()).await;
    created.map_err(|error| Failure::Refused(format!("cannot create the room {name}: {error}")))
}

/// Waits until the only room is closed. A server with several rooms does not end with one of them.
async fn closed(only: Option<&BranchRef>) -> EndReason {
    match only {
        Some(room) => room.closed().await,
        None => std::future::pending().await,
    }
}

fn shown(address: Option<SocketAddr>) -> String {
    address.map_or_else(|| "off".to_owned(), |address| address.to_string())
}

/// Exit code of shells for a program killed by SIGINT.
const EXIT_AT_ONCE: i32 = 130;
