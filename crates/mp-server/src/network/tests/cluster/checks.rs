//! Checks of the node of a room, whatever the node of a player has checked.

use mp_cluster::bus::{Bus as _, BusEvent, BusMessageKind, MemoryBus};
use mp_cluster::{JoinAnswer, NodeRequest, NodeRequestId, PlayerTicket, RemoteJoin, RequestCodec};
use mp_core::{ConnectionId, DisconnectReason, EndpointId, Reason, Rng};
use mp_identity::{AuthRefusal, Identity, Subject};
use mp_rooms::{JoinRefusal, ResumeTicket, Selection, TicketHash};

use super::tickets::{Player, token, with_tokens};
use super::*;

/// A node that lets players join without a check.
struct Careless {
    bus: MemoryBus,
    codec: RequestCodec,
    joins: u32,
}

impl Careless {
    fn new(world: &World) -> Self {
        let id = ClusterNodeId::new(9);
        let codec = RequestCodec::new(ClusterId::named("test"), id);
        Self { bus: world.cluster.bus(id), codec, joins: 0 }
    }

    /// Lets a player join a room of the first node.
    async fn join(
        &mut self,
        world: &World,
        room: &str,
        identity: Identity,
        ticket: Option<PlayerTicket>,
    ) -> JoinAnswer {
        self.joins += 1;
        let id = NodeRequestId::new(u64::from(self.joins));
        let join = RemoteJoin {
            endpoint: EndpointId(1),
            connection: ConnectionId { slot: self.joins, generation: 0 },
            claimed_id: None,
            selection: Selection::new(name(room)),
            identity: Arc::new(identity),
            host_key: None,
            ticket,
        };
        let request = self.codec.encode(&NodeRequest::Join(id, Box::new(join)));
        self.bus.publish(world.nodes[0].id, BusMessageKind::Request, request);
        let answer = async {
            loop {
                let BusEvent::Message(BusMessageKind::Request, bytes) = self.bus.recv().await
                else {
                    continue;
                };
                match self.codec.decode(&bytes) {
                    Ok((_, NodeRequest::Answer(of, answer))) if of == id => return answer,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, answer).await.expect("the node answers")
    }
}

fn player(subject: &str) -> Identity {
    Identity::new(Subject::new(subject).unwrap())
}

/// Returns the code of a refusal.
fn code(answer: JoinAnswer) -> String {
    match answer {
        JoinAnswer::Refused(DisconnectReason::Rejected(rejection)) => rejection.code().to_owned(),
        answer => format!("{answer:?}"),
    }
}

/// Starts servers whose first node has the rooms `a` and `b`, and returns them with a player of `a`
/// who was disconnected, her id, and her ticket.
async fn with_lost_player() -> (World, PeerId, String) {
    let world = World::start_keeping(&with_tokens()).await;
    for room in ["a", "b"] {
        world.nodes[0].network.rooms().create(name(room), &name("arena")).await.unwrap();
    }
    let kay = Player::ws(&world, 1, &format!("a?{}", token("kay"))).await;
    let (id, ticket) = (kay.id().await, kay.ticket().await);
    kay.lose(&world, 0).await;
    world.until(0, |stats| stats.tickets.offers.offered == 1).await;
    (world, id, ticket)
}

fn resume(ticket: &str) -> PlayerTicket {
    PlayerTicket::Resume(ResumeTicket::parse(ticket).unwrap().resume())
}

#[test]
fn banned_player_is_refused_although_its_own_node_does_not_know_of_the_ban() {
    actix::System::new().block_on(async {
        let world = World::start_keeping(&with_tokens()).await;
        let rooms = world.nodes[0].network.rooms();
        rooms.create(name("a"), &name("arena")).await.unwrap();
        rooms.ban_player(Subject::new("kay").unwrap(), None).await.unwrap();
        let mut node = Careless::new(&world);
        let kay = node.join(&world, "a", player("kay"), None).await;
        assert_eq!(code(kay), AuthRefusal::Banned.label());
        let bob = node.join(&world, "a", player("bob"), None).await;
        assert!(matches!(bob, JoinAnswer::Admitted { .. }), "{bob:?}");
    });
}

#[test]
fn unknown_ticket_and_one_for_another_room_are_refused() {
    actix::System::new().block_on(async {
        let (world, _, ticket) = with_lost_player().await;
        let mut node = Careless::new(&world);
        let invalid = JoinRefusal::InvalidResume.label();
        let unknown = ResumeTicket::random(&mut Rng::seed_from_u64(1), PeerId::SERVER);
        let answer = node.join(&world, "a", player("kay"), Some(resume(&unknown.reveal()))).await;
        assert_eq!(code(answer), invalid);
        let seat = PlayerTicket::Seat(TicketHash::from_bytes([7; 32]));
        let answer = node.join(&world, "a", player("kay"), Some(seat)).await;
        assert_eq!(code(answer), JoinRefusal::InvalidTicket.label());
        let answer = node.join(&world, "b", player("kay"), Some(resume(&ticket))).await;
        assert_eq!(code(answer), invalid);
    });
}

#[test]
fn ticket_of_a_player_whom_the_room_refuses_stays_valid_at_every_node() {
    actix::System::new().block_on(async {
        let (world, id, ticket) = with_lost_player().await;
        let mut node = Careless::new(&world);
        for attempt in 0..2 {
            let thief = node.join(&world, "a", player("bob"), Some(resume(&ticket))).await;
            assert_eq!(code(thief), JoinRefusal::WrongPlayer.label(), "attempt {attempt}");
            // It was used up, and is written again.
            world.until(0, |stats| stats.tickets.offers.offered == attempt + 2).await;
        }
        let again = Player::ws(&world, 2, &format!("?{}&resume={ticket}", token("kay"))).await;
        again.ticket().await;
        assert_eq!(again.id().await, id);
    });
}
