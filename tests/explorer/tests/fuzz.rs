//! The fuzzer's entry, by bytes that a simple generator makes: it takes any, and finds nothing.
#![allow(missing_docs)]

use apiqueue_explorer::fuzz::fuzz;

/// xorshift64*: the same bytes at each run.
struct Bytes(u64);

impl Bytes {
    fn next(&mut self) -> u8 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8
    }
}

#[test]
fn long_sequences_keep_every_promise() {
    let mut bytes = Bytes(13);
    for number in 0..30_000 {
        let case: [u8; 20] = std::array::from_fn(|_| bytes.next());
        if let Err(finding) = fuzz(&case) {
            unreachable!("case {number}, {case:?}: {finding}");
        }
    }
}

#[test]
fn any_bytes_are_a_case() {
    assert_eq!(fuzz(&[]), Ok(()));
    for byte in 0..=u8::MAX {
        for length in 1..40 {
            let case = vec![byte; length];
            assert_eq!(fuzz(&case), Ok(()), "{case:?}");
        }
    }
}
