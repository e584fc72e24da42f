use mp::Node;

struct Mine;

#[derive(Node)]
struct Player {
    #[replicate(always)]
    mine: Mine,
}

fn main() {}
