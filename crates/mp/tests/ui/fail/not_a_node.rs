use mp::prelude::*;

struct Score;

fn add(scene: &mut Scene) {
    let _ = scene.add("Score", Score);
}

fn main() {}
