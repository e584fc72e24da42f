#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mp_server::fuzz::match_request(data));
