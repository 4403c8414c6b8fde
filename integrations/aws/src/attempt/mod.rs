//! [`Attempt`]: where an attempt goes and what it does.

mod of_config;
mod of_request;

/// Service, region and operation of one attempt.
///
/// They are known before it is signed, and for all protocols. Of a request that waits in the HTTP client, as the
/// [`Paced`](crate::Paced) page says which do, they are what the request itself tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Attempt {
    /// The service that it is signed for, such as `ec2`. Of a request that waits in the HTTP client and is not signed, the host.
    pub service: String,
    /// The region that it is signed for: `us-east-1` for IAM, whatever the configuration's is. Of a request that waits in the HTTP
    /// client and is not signed, nothing.
    pub region: String,
    /// The operation, such as `DescribeSnapshots` or `GetObject`. Of a request that waits in the HTTP client and names none, the HTTP
    /// method.
    pub operation: String,
}

impl Attempt {
    /// `service/region/operation`, such as `ec2/eu-west-1/DescribeSnapshots`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.service, self.region, self.operation)
    }
}
