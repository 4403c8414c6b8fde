//! An API on loopback that throttles a whole account, as EC2 does: what the example `scan` calls, and others' tests.

mod bucket;
mod endpoint;
pub mod limits;

pub use bucket::Buckets;
pub use endpoint::Endpoint;
