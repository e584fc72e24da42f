#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mp_transport_webrtc::fuzz::ice_candidate(data));
