//! Timers of the program.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use mp_core::{Instant, StateMachine};
use mp_scene::TimerId;
use mp_scene::prelude::*;

type Log = Rc<RefCell<Vec<String>>>;

struct Unit(Log);

impl Unit {
    fn note(&self, what: &str) {
        self.0.borrow_mut().push(what.to_owned());
    }
}

impl Node for Unit {}

/// Takes the log, as one line.
fn taken(log: &Log) -> String {
    std::mem::take(&mut *log.borrow_mut()).join(", ")
}

fn turn(branch: &mut Branch, millis: u64) {
    branch.end_turn(Instant::from_millis(millis));
}

#[test]
fn timers_run_in_the_order_of_their_times_and_wake_the_branch() {
    let log = Log::default();
    let mut branch = Branch::builder("/root").build().unwrap();
    turn(&mut branch, 1_000);
    let scene = branch.scene();
    let note = |text: &'static str| {
        let log = Rc::clone(&log);
        move |_: &mut Scene| log.borrow_mut().push(text.to_owned())
    };
    let millis = Duration::from_millis;
    scene.create_timer(millis(300), note("c"));
    scene.create_timer(millis(100), note("a"));
    scene.create_timer(millis(100), note("b"));
    let every = scene.create_repeating_timer(millis(100), note("."));
    assert_eq!(branch.poll_timeout(), Some(Instant::from_millis(1_100)));
    turn(&mut branch, 1_099);
    assert_eq!(taken(&log), "");
    turn(&mut branch, 1_100);
    assert_eq!(taken(&log), "a, b, .");
    // The call at 1,200 ms is missed; the next one is due at 1,350 ms.
    turn(&mut branch, 1_350);
    assert_eq!(taken(&log), "., c");
    assert!(branch.scene().cancel_timer(every) && !branch.scene().cancel_timer(every));
    assert_eq!(branch.poll_timeout(), None);
}

#[test]
fn a_timer_without_delay_that_creates_another_does_not_block_its_turn() {
    fn again(scene: &mut Scene, runs: Rc<RefCell<u32>>) {
        *runs.borrow_mut() += 1;
        scene.create_timer(Duration::ZERO, move |scene| again(scene, runs));
    }
    let runs = Rc::default();
    let mut branch = Branch::builder("/root").build().unwrap();
    again(branch.scene(), Rc::clone(&runs));
    turn(&mut branch, 1_000);
    turn(&mut branch, 1_000);
    assert_eq!(*runs.borrow(), 3);
}

#[test]
fn timers_of_a_node_end_with_the_node() {
    let log = Log::default();
    let mut branch = Branch::builder("/root").build().unwrap();
    turn(&mut branch, 1_000);
    let scene = branch.scene();
    let node = scene.add("Unit", Unit(Rc::clone(&log))).unwrap();
    scene
        .with(node, |_, cx| {
            cx.timer_self(Duration::from_secs(1), |unit: &mut Unit, _| unit.note("once"));
            cx.repeating_timer_self(Duration::from_secs(1), |unit: &mut Unit, _| {
                unit.note("again");
            });
            cx.timer_self(Duration::from_secs(9), |unit: &mut Unit, _| unit.note("never"));
        })
        .unwrap();
    turn(&mut branch, 2_000);
    turn(&mut branch, 3_000);
    assert_eq!(taken(&log), "once, again, again");
    branch.scene().remove(node).unwrap();
    turn(&mut branch, 4_000);
    turn(&mut branch, 10_000);
    assert_eq!(taken(&log), "");
    assert_eq!(branch.poll_timeout(), None);
}

#[test]
fn a_repeating_timer_can_cancel_itself() {
    let runs = Rc::new(RefCell::new(0));
    let own = Rc::new(RefCell::new(None::<TimerId>));
    let mut branch = Branch::builder("/root").build().unwrap();
    let (count, id) = (Rc::clone(&runs), Rc::clone(&own));
    let timer = branch.scene().create_repeating_timer(Duration::from_secs(1), move |scene| {
        *count.borrow_mut() += 1;
        assert!(scene.cancel_timer(id.borrow().unwrap()));
    });
    *own.borrow_mut() = Some(timer);
    for now in [1_000, 2_000, 3_000] {
        turn(&mut branch, now);
    }
    assert_eq!(*runs.borrow(), 1);
}
