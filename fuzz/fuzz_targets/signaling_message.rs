#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mp_signaling::fuzz::signaling_message(data));
