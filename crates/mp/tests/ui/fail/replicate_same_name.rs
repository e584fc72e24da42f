use mp::Node;

#[derive(Node)]
struct Player {
    #[replicate(always)]
    health: i64,
    #[replicate(spawn, rename = "health")]
    life: i64,
    #[replicate(spawn, rename = "a:b")]
    c: i64,
}

fn main() {}
