//! The fuzz target of this crate, run on its seed inputs and mutations of them.
#![allow(missing_docs, reason = "a test")]

use mp_core::fuzz::{Seeds, check};
use mp_rooms::fuzz;

#[test]
fn any_selection_is_read_within_bounds() {
    let seeds = [
        "arena",
        "duel/arena-1",
        "room=arena&template=duel&code=12%2F4",
        "arena?code=%c3%a4&token=x",
        "a/?room=b&room=c",
        "ws://host:7778/a/b?room=%41#c",
        "http://host?template=a",
        "?resume=mpr_AAAAAAAAAAAAAAAAAAAAAA.1234&token=x",
    ];
    check("room_selection", Seeds::texts(&seeds), 20_000, fuzz::room_selection);
}
