use mp::Node;

#[derive(Node)]
enum Score {
    Points(i64),
}

fn main() {}
