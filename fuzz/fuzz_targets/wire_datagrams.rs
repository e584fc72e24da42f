#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mp_wire::fuzz::wire_datagrams(data));
