use mp::Node;

#[derive(Node)]
struct Player(#[replicate(always)] i64);

fn main() {}
