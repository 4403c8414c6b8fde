//! ⌊n × to / from⌋: how an amount of time at one rate becomes one at another.

use crate::clock::{Word, narrow, private::Bits, widen};

/// ⌊n × to / from⌋, or `most` if that is less; and whether it was exact. `to`, `from` and `most` are at most
/// [`Word::MAX_SPAN`] twice, `from` is not 0.
#[inline]
pub(crate) fn scaled<W: Word>(n: W, to: W, from: W, most: W) -> (W, bool) {
    if cfg!(target_pointer_width = "64") {
        scaled_wide(n, to, from, most)
    } else {
        scaled_by_digits(n, to, from, most)
    }
}

/// With the machine's own product and division.
fn scaled_wide<W: Word>(n: W, to: W, from: W, most: W) -> (W, bool) {
    let product = u128::from(widen(n)).wrapping_mul(u128::from(widen(to)));
    let from = u128::from(widen(from));
    match (product.checked_div(from), product.checked_rem(from)) {
        (Some(quotient), Some(rest)) if quotient <= u128::from(widen(most)) => {
            (narrow(quotient as u64), rest == 0)
        }
        _ => (most, false),
    }
}

/// By digits, as on paper: where a product has no room in the machine's words, and where it has no division, the routines that
/// stand in for both are larger than this.
fn scaled_by_digits<W: Word>(n: W, to: W, from: W, most: W) -> (W, bool) {
    let (whole, part) = divided(to, from);
    // After each digit of n, quotient and rest are those of (the digits so far) × to / from.
    let (mut quotient, mut rest) = (W::ZERO, W::ZERO);
    for digit in (0..<W as Bits>::BITS).rev() {
        quotient = quotient.plus(quotient);
        rest = rest.plus(rest);
        if n.shr(digit).low() & 1 != 0 {
            quotient = quotient.plus(whole);
            rest = rest.plus(part);
        }
        // Below three times `from` by now.
        while rest >= from {
            rest = rest.minus(from);
            quotient = quotient.plus(W::ONE);
        }
        if quotient > most {
            return (most, false);
        }
    }
    (quotient, rest == W::ZERO)
}

/// Quotient and rest.
fn divided<W: Word>(n: W, by: W) -> (W, W) {
    let (mut quotient, mut rest) = (W::ZERO, W::ZERO);
    for digit in (0..<W as Bits>::BITS).rev() {
        quotient = quotient.plus(quotient);
        rest = rest.plus(rest).with_low(n.shr(digit).low() & 1);
        if rest >= by {
            rest = rest.minus(by);
            quotient = quotient.plus(W::ONE);
        }
    }
    (quotient, rest)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{scaled_by_digits, scaled_wide};

    #[test]
    fn digit_by_digit_it_is_the_quotient_of_the_whole_product() {
        let most = (1_u32 << 27) - 1;
        let values = [1, 2, 3, 7, 10, 1_000, 65_536, 1 << 26, most - 1, most];
        for n in values.into_iter().chain([0]) {
            for to in values {
                for from in values {
                    let product = u64::from(n) * u64::from(to);
                    let (quotient, exact) = scaled_by_digits(n, to, from, most);
                    assert_eq!(scaled_wide(n, to, from, most), (quotient, exact));
                    let whole = product / u64::from(from);
                    if whole > u64::from(most) {
                        assert_eq!((quotient, exact), (most, false));
                    } else {
                        assert_eq!(u64::from(quotient), whole, "{n} × {to} / {from}");
                        assert_eq!(exact, product.is_multiple_of(u64::from(from)));
                    }
                }
            }
        }
    }

    #[test]
    fn it_holds_for_64_bits() {
        let most = (1_u64 << 56) - 1;
        let product = u128::from(most) * 1_000;
        let parts = (
            (product / 999_999_937) as u64,
            product.is_multiple_of(999_999_937),
        );
        for scaled in [scaled_by_digits::<u64>, scaled_wide::<u64>] {
            assert_eq!(scaled(most, most, most, most), (most, true));
            assert_eq!(scaled(most, 1_000, 999_999_937, most), parts);
            assert_eq!(scaled(1, most, 1, most), (most, true));
            assert_eq!(scaled(2, most, 1, most), (most, false));
        }
    }
}
