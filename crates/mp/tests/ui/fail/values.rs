use mp::prelude::*;

struct Mine;

#[derive(FromVariant, ToVariant)]
struct Field {
    mine: Mine,
}

#[derive(ToVariant)]
struct Generic<T>(T);

#[derive(ToVariant)]
#[variant(int)]
enum Number {
    One(i64),
}

#[derive(FromVariant)]
struct Words {
    #[variant(name = "b")]
    a: i64,
}

fn main() {}
