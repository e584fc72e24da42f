//! What the runner says on the standard input.

use std::io::{self, BufRead};
use std::process;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// See mp-bench-common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Start,
    Mark,
    Stop,
}

/// The orders to come.
pub(crate) struct Orders(Receiver<Order>);

impl Orders {
    /// Listens on a thread of its own, which sleeps between orders; at the end of the input the process ends.
    pub(crate) fn listen() -> Self {
        let (tell, orders) = sync_channel(8);
        thread::spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                let order = match line.as_str() {
                    "start" => Order::Start,
                    "mark" => Order::Mark,
                    "stop" => Order::Stop,
                    _ => continue,
                };
                if tell.send(order).is_err() {
                    return;
                }
            }
            process::exit(1);
        });
        Self(orders)
    }

    pub(crate) fn next(&self) -> Option<Order> {
        self.0.try_recv().ok()
    }
}
