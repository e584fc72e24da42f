#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mp_transport_ws::fuzz::web_socket_frames(data));
