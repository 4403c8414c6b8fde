//! The limits that AWS publishes.

use super::parse;
use crate::registry::limits::{Limit, Limits};

impl Limits {
    /// The file of [`aws`](Self::aws): to be shown, or to begin one of your own from. It cites the page of each service.
    pub const AWS: &'static str = include_str!("aws.toml");

    /// The request limits that AWS publishes, less a tenth that is left to the account's other callers, for keys that are
    /// `service/region/operation`, such as `ec2/eu-west-1/DescribeSnapshots`, with the service's name as it is signed for.
    ///
    /// | service | limits |
    /// |---|---|
    /// | `ec2` | [each operation's bucket](https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html), in each region. Operations with a smaller bucket for calls without filters and pages have that one: who always pages may set 20 a second for them |
    /// | `route53` | [5 a second for all operations together](https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html) |
    /// | `cloudtrail` | [each operation's](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html) |
    /// | `monitoring` | [those of alarms and `GetMetricData`](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html) |
    /// | `account` | [each operation's](https://docs.aws.amazon.com/accounts/latest/reference/quotas.html) |
    ///
    /// All else is not limited. An account's own limits may be others: set a key's, or put a file of yours
    /// [over these](Self::overridden).
    ///
    /// ```
    /// use apiqueue::{Limits, Registry};
    ///
    /// let registry = Registry::from(Limits::aws());
    /// let queue = registry.queue("ec2/eu-west-1/DescribeRegions")?.unwrap();
    /// assert_eq!(queue.rate().to_string(), "18/s (burst 90)");
    /// assert!(registry.queue("s3/eu-west-1/GetObject")?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn aws() -> Self {
        // It can be read, as is tested.
        parse(Self::AWS, None).unwrap_or_else(|_| Self::new(Limit::None))
    }
}
