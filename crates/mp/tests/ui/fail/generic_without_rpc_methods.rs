use mp::{Node, rpc_methods};

#[derive(Node)]
struct Plain<T: 'static>(T);

#[derive(Node)]
struct Slot<T: 'static>(T);

#[rpc_methods]
impl<T: Default + 'static> Slot<T> {
    #[rpc]
    fn reset(&mut self) {
        self.0 = T::default();
    }
}

fn main() {}
