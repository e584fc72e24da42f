//! Relay room as in `mp-server`: a branch and its endpoint as actix actors.

use std::error::Error;
use std::net::Ipv4Addr;

use mp_bench_common::{answer_marks, ready};
use mp_scene::Branch;
use mp_transport_enet::{CreateError, EnetMultiplayerPeer, ServerOptions};
use serde_json::json;

mp_bench_common::count_allocations!();

fn main() -> Result<(), Box<dyn Error>> {
    actix::System::new().block_on(async {
        let room = mp_actor::branch(|| Branch::builder("/root").build()).serve(|| {
            let options = ServerOptions::default().max_clients(512);
            let address = (Ipv4Addr::LOCALHOST, 0).into();
            let server = EnetMultiplayerPeer::create_async_server(address, options)?;
            answer_marks(|| json!({ "allocations": allocations() }));
            ready(server.local_addr().map_or(0, |address| address.port()));
            Ok::<_, CreateError>(server)
        });
        let room = room.await?;
        Err(room.closed().await.to_string().into())
    })
}
