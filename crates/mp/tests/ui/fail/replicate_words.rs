use mp::Node;

#[derive(Node)]
struct Player {
    #[replicate(sync)]
    a: i64,
    #[replicate(always, on_change)]
    b: i64,
    #[replicate(onchange)]
    c: i64,
    #[replicate]
    d: i64,
    #[replicate(rename = "e")]
    f: i64,
}

fn main() {}
