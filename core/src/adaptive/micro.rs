//! The fixed-point arithmetic: rates in millionths of a call per second, in 64 bits, without a panic path.

/// One call per second.
pub(super) const ONE: u64 = 1_000_000;

/// ⌊a × b / c⌋, to within the bits that are dropped from the wider factor where the product has no room.
pub(super) fn mul_div(a: u64, b: u64, c: u64) -> u64 {
    let (mut wide, narrow) = if a > b { (a, b) } else { (b, a) };
    let mut c = c;
    while wide.checked_mul(narrow).is_none() {
        if c < 1 << 16 {
            // The quotient itself is large: dividing first loses less than dropping bits.
            return wide
                .checked_div(c)
                .unwrap_or(u64::MAX)
                .saturating_mul(narrow);
        }
        wide >>= 1;
        c >>= 1;
    }
    wide.wrapping_mul(narrow).checked_div(c).unwrap_or(u64::MAX)
}

/// `value` × `thousandths` / 1000.
pub(super) fn part(value: u64, thousandths: u16) -> u64 {
    mul_div(value, u64::from(thousandths), 1000)
}

/// ⌊∛n⌋, digit by digit.
pub(super) fn cube_root(mut n: u64) -> u64 {
    let mut root = 0_u64;
    let mut shift = 63_u32;
    loop {
        root = root.wrapping_shl(1);
        // (root + 1)³ − root³
        let step = root
            .wrapping_mul(root.wrapping_add(1))
            .wrapping_mul(3)
            .wrapping_add(1);
        if n.wrapping_shr(shift) >= step {
            n = n.wrapping_sub(step.wrapping_shl(shift));
            root = root.wrapping_add(1);
        }
        let Some(next) = shift.checked_sub(3) else {
            return root;
        };
        shift = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cube_roots_are_rounded_down() {
        for (n, root) in [
            (0, 0),
            (7, 1),
            (8, 2),
            (26, 2),
            (27, 3),
            (1_000_000_000_000_000_000, 1_000_000),
            (u64::MAX, 2_642_245),
        ] {
            assert_eq!(cube_root(n), root, "{n}");
        }
    }

    #[test]
    fn a_product_without_room_is_still_right_to_a_thousandth() {
        assert_eq!(mul_div(7, 3, 2), 10);
        let exact = (u128::from(u64::MAX / 3) * 1_000_000_007 / 1_000_000_000) as u64;
        assert!(mul_div(u64::MAX / 3, 1_000_000_007, 1_000_000_000).abs_diff(exact) < exact / 1000);
        assert_eq!(mul_div(u64::MAX, u64::MAX, 1), u64::MAX);
        assert_eq!(mul_div(5, 5, 0), u64::MAX);
    }
}
