//! ⌊n × to / from⌋ in the width of a tick: how an amount of time at one rate becomes one at another.
//!
//! By digits, as on paper, since the product has no room in a word and half of the targets have no division.

use crate::clock::{Word, private::Bits};

/// ⌊n × to / from⌋, or `most` if that is less; and whether it was exact. `to`, `from` and `most` are at most
/// [`Word::MAX_SPAN`] twice, `from` is not 0.
pub(crate) fn scaled<W: Word>(n: W, to: W, from: W, most: W) -> (W, bool) {
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
    use super::scaled;

    #[test]
    fn it_is_the_quotient_of_the_whole_product() {
        let most = (1_u32 << 27) - 1;
        let values = [1, 2, 3, 7, 10, 1_000, 65_536, 1 << 26, most - 1, most];
        for n in values.into_iter().chain([0]) {
            for to in values {
                for from in values {
                    let product = u64::from(n) * u64::from(to);
                    let (quotient, exact) = scaled(n, to, from, most);
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
        assert_eq!(scaled(most, most, most, most), (most, true));
        assert_eq!(
            scaled(most, 1_000, 999_999_937, most),
            (
                (u128::from(most) * 1_000 / 999_999_937) as u64,
                u128::from(most) * 1_000 % 999_999_937 == 0
            )
        );
        assert_eq!(scaled(1, most, 1, most), (most, true));
        assert_eq!(scaled(2, most, 1, most), (most, false));
    }
}
