//! How many calls an account may make: EC2's numbers, an action at a time.

/// A bucket's size, and its refill in calls per second.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Calls that it allows at once.
    pub size: u32,
    /// Calls a second.
    pub refill: f64,
}

/// The action that the scanner calls for each item: without filters and pages, EC2's dearest kind of read.
pub const SCANNED: Limit = limit(50, 10.0);

const READ: Limit = limit(100, 20.0);
const CHANGE: Limit = limit(50, 5.0);
const LAUNCH: Limit = limit(1000, 2.0);

const fn limit(size: u32, refill: f64) -> Limit {
    Limit { size, refill }
}

/// Which limit holds for a call of `action`. `scanned` is the one for unfiltered, unpaginated `DescribeSnapshots`.
#[must_use]
pub fn of(action: &str, narrowed: bool, scanned: Limit) -> Limit {
    let reads = ["Describe", "List", "Get"];
    match action {
        "DescribeSnapshots" if !narrowed => scanned,
        "RunInstances" => LAUNCH,
        _ if reads.iter().any(|verb| action.starts_with(verb)) => READ,
        _ => CHANGE,
    }
}
