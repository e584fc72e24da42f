//! Tests that need the branch actor's own mailbox.

use std::cell::RefCell;
use std::rc::Rc;

use mp_core::{
    Channel, CloseMode, ConnectionOrigin, ConnectionStatus, EndpointInfo, PeerEvent, ToBranch,
    ToEndpoint, TransferMode,
};
use tokio::sync::oneshot;

use super::*;
use crate::limits::STALL_TIMEOUT;
use crate::mail::{EndpointMail, control};

/// An endpoint that reads no message until the test allows it.
struct HangingEndpoint {
    until: Option<oneshot::Receiver<()>>,
    mail: Rc<RefCell<Vec<ToEndpoint>>>,
}

impl Actor for HangingEndpoint {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let until = self.until.take().expect("the actor starts once");
        ctx.wait(fut::wrap_future(async move { until.await.expect("the test sends") }));
    }
}

impl Handler<EndpointMail> for HangingEndpoint {
    type Result = ();

    fn handle(&mut self, EndpointMail(_, message): EndpointMail, _: &mut Context<Self>) {
        self.mail.borrow_mut().push(message);
    }
}

impl Handler<GetConnectionStats> for HangingEndpoint {
    type Result = MessageResult<GetConnectionStats>;

    fn handle(&mut self, _: GetConnectionStats, _: &mut Context<Self>) -> Self::Result {
        MessageResult(Vec::new())
    }
}

impl Handler<Serve> for HangingEndpoint {
    type Result = ();

    fn handle(&mut self, _: Serve, _: &mut Context<Self>) {}
}

#[test]
fn branch_abandons_an_endpoint_that_hangs_and_continues() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    System::with_tokio_rt(runtime).block_on(async {
        let starter = crate::branch(|| Branch::builder("/root").build());
        let branch = starter.on(Arbiter::current()).start().await.unwrap();
        let (listen, until) = oneshot::channel();
        let mail = Rc::new(RefCell::new(Vec::new()));
        let hanging = HangingEndpoint::create(|ctx| {
            ctx.set_mailbox_capacity(1);
            HangingEndpoint { until: Some(until), mail: Rc::clone(&mail) }
        });
        let id = EndpointId(9);
        let mailbox = EndpointMailbox::Actor {
            branch: branch.id(),
            mail: hanging.clone().recipient(),
            connection_stats: hanging.clone().recipient(),
            serve: hanging.recipient(),
        };
        control(branch.address(), Attach { endpoint: id, mailbox, is_restored: false });
        let info = EndpointInfo {
            unique_id: PeerId::SERVER,
            status: ConnectionStatus::Connected,
            relay_supported: true,
            max_packet_size: 1_000,
            outlives_program: false,
        };
        let arrival = PeerEvent::Connected {
            connection: ConnectionId { slot: 0, generation: 0 },
            claimed_id: PeerId::new(2),
            origin: ConnectionOrigin::Process,
        };
        control(branch.address(), BranchMail(ToBranch::Opened(id, info)));
        control(branch.address(), BranchMail(ToBranch::Events(id, vec![arrival])));

        let start = tokio::time::Instant::now();
        for _ in 0..10 {
            let send = |scene: &mut mp_scene::Scene| {
                (0..1_000).try_for_each(|_| {
                    let all = mp_core::Target::All;
                    scene.send_bytes(b"x", all, TransferMode::Reliable, Channel(0))
                })
            };
            // There is no session to send in after the endpoint was abandoned.
            let _ = branch.with(send).await.unwrap();
        }
        assert!(start.elapsed() < 2 * STALL_TIMEOUT, "{:?}", start.elapsed());
        assert_eq!(branch.peers().await, Ok(vec![]));

        listen.send(()).unwrap();
        tokio::time::sleep(STALL_TIMEOUT).await;
        let reason = DisconnectReason::QueueFull;
        let close_mode = CloseMode::Immediate;
        let left = ToEndpoint::Leave { reason, close_mode };
        assert_eq!(mail.borrow().last(), Some(&left));
    });
}
