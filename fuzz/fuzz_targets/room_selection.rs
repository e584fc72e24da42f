#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mp_rooms::fuzz::room_selection(data));
