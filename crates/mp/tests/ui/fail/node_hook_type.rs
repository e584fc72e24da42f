use mp::Node;

#[derive(Node)]
#[node(enter_tree = Player::entered)]
struct Player;

impl Player {
    fn entered(&mut self) {}
}

fn main() {}
