#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mp_project::fuzz::scene_file(data));
