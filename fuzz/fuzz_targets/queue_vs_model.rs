//! The queue against the model, in both widths, over whatever the fuzzer thinks of.
#![no_main]

use apiqueue_tests::ops::{Sequence, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|sequence: Sequence| {
    for outcome in [run::<u32>(&sequence), run::<u64>(&sequence)] {
        if let Err(divergence) = outcome {
            panic!("{divergence}");
        }
    }
});
