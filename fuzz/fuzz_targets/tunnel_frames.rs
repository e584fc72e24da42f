#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mp_tunnel::fuzz::tunnel_frames(data));
