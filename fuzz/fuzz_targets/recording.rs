#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mp_record::fuzz::recording(data));
