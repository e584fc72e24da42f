use mp::Node;
use mp::prelude::*;

#[derive(Node)]
#[node(entered_tree = Player::entered)]
struct Player {
    #[node(sync)]
    a: MultiplayerSynchronizer,
}

fn main() {}
