//! The power that a curve follows.

/// The `k` of the `a·n^k` that fits the points best: the slope of the least-squares line through their logarithms.
pub(crate) fn exponent(points: impl Iterator<Item = (f64, f64)>) -> f64 {
    let points: Vec<(f64, f64)> = points.map(|(n, cost)| (n.ln(), cost.ln())).collect();
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let together: f64 = points
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    let alone: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    together / alone
}

#[cfg(test)]
mod tests {
    use super::exponent;

    fn of(cost: fn(f64) -> f64) -> f64 {
        exponent([1.0, 10.0, 100.0, 1000.0].into_iter().map(|n| (n, cost(n))))
    }

    #[test]
    fn a_power_is_fitted_by_its_exponent() {
        assert!((of(|n| 7.0 * n) - 1.0).abs() < 1e-9);
        assert!((of(|n| 3.0 * n.sqrt()) - 0.5).abs() < 1e-9);
        assert!(of(|_| 42.0).abs() < 1e-9);
    }

    #[test]
    fn a_linear_part_that_outweighs_the_rest_at_the_end_is_not_taken_for_a_constant() {
        assert!(of(|n| 30.0 + n / 10.0) > 0.15);
    }
}
