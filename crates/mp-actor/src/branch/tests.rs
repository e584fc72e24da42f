//! What takes access to the actor's own mailbox.

use std::cell::RefCell;
use std::rc::Rc;

use mp_core::{
    Channel, ConnectionStatus, EndpointInfo, Farewell, Origin, PeerEvent, ToBranch, ToEndpoint,
    TransferMode,
};
use tokio::sync::oneshot;

use super::*;
use crate::limits::STALL_TIMEOUT;
use crate::mail::{EndpointMail, control};

/// An endpoint that reads no mail until it is told to.
struct Deaf {
    until: Option<oneshot::Receiver<()>>,
    mail: Rc<RefCell<Vec<ToEndpoint>>>,
}

impl Actor for Deaf {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let until = self.until.take().expect("it starts once");
        ctx.wait(fut::wrap_future(async move { until.await.expect("it is told") }));
    }
}

impl Handler<EndpointMail> for Deaf {
    type Result = ();

    fn handle(&mut self, EndpointMail(message): EndpointMail, _: &mut Context<Self>) {
        self.mail.borrow_mut().push(message);
    }
}

impl Handler<AskLink> for Deaf {
    type Result = MessageResult<AskLink>;

    fn handle(&mut self, _: AskLink, _: &mut Context<Self>) -> Self::Result {
        MessageResult(None)
    }
}

#[test]
fn an_endpoint_that_hangs_is_given_up_and_the_branch_lives() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    System::with_tokio_rt(runtime).block_on(async {
        let launch = crate::branch(|| Branch::builder("/root").build());
        let branch = launch.on(Arbiter::current()).start().await.unwrap();
        let (listen, until) = oneshot::channel();
        let mail = Rc::new(RefCell::new(Vec::new()));
        let deaf = Deaf::create(|ctx| {
            ctx.set_mailbox_capacity(1);
            Deaf { until: Some(until), mail: Rc::clone(&mail) }
        });
        let id = EndpointId(9);
        let mailbox = EndpointMailbox { mail: deaf.clone().recipient(), links: deaf.recipient() };
        control(branch.address(), Attach { endpoint: id, mailbox });
        let info = EndpointInfo {
            unique_id: PeerId::SERVER,
            status: ConnectionStatus::Connected,
            relay_supported: true,
            max_packet_size: 1_000,
        };
        let arrival = PeerEvent::Connected {
            connection: ConnectionId { slot: 0, generation: 0 },
            claimed_id: PeerId::new(2),
            origin: Origin::Process,
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
            // Once the endpoint is given up there is no session to send in.
            let _ = branch.with(send).await.unwrap();
        }
        assert!(start.elapsed() < 2 * STALL_TIMEOUT, "{:?}", start.elapsed());
        assert_eq!(branch.peers().await, Ok(vec![]));

        listen.send(()).unwrap();
        tokio::time::sleep(STALL_TIMEOUT).await;
        let reason = DisconnectReason::QueueFull;
        let farewell = Farewell::Abrupt;
        let left = ToEndpoint::Leave { branch: branch.id(), reason, farewell };
        assert_eq!(mail.borrow().last(), Some(&left));
    });
}
