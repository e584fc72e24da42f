use mp::Node;

#[derive(Node)]
struct Player {
    #[node(synchronizer)]
    a: i64,
}

fn main() {}
