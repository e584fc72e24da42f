//! mp's ENet peer in a tokio task, without branch and actor.

use std::net::Ipv4Addr;
use std::time::Duration;

use clap::Parser;
use mp_bench_common::{answer_marks, ready};
use mp_bench_forward::{Args, Failure, forward, run};
use mp_tls::{CertificateStore, DevelopmentCertificate};
use mp_transport_enet::{EnetMultiplayerPeer, ServerOptions};
use serde_json::json;

mp_bench_common::count_allocations!();

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    run(async move {
        let mut options =
            ServerOptions::default().max_clients(args.peers).channel_limit(args.channels);
        if let Some(millis) = args.flush_interval {
            options = options.flush_interval(Duration::from_millis(millis));
        }
        if args.dtls {
            let identity = DevelopmentCertificate::new(&["localhost"])?.identity()?;
            options = options.dtls(CertificateStore::new(identity));
        }
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let peer = EnetMultiplayerPeer::create_async_server(address, options)?;
        answer_marks(|| json!({ "allocations": allocations() }));
        ready(peer.local_addr()?.port());
        forward(peer, args.pass).await
    })
}
