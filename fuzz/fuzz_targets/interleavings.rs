//! A thread that stands still in the middle of an operation, and what the fuzzer has others do meanwhile, before the explorer's
//! judge.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(finding) = apiqueue_explorer::fuzz::fuzz(bytes) {
        panic!("{finding}");
    }
});
