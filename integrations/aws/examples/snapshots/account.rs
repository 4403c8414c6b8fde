//! What has to be there before an account can be asked, and what to set where it is not.

use aws_config::SdkConfig;
use aws_sdk_ec2::config::ProvideCredentials;

use crate::listing::Failure;

const NO_REGION: &str = "no region: set AWS_REGION, or AWS_PROFILE to a profile with a region, or `region` in ~/.aws/config";
const NO_CREDENTIALS: &str = "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile that has some";

/// Refuses a configuration without a region or without credentials, with the cause and what to set.
pub(crate) async fn check(config: &SdkConfig) -> Result<(), Failure> {
    if config.region().is_none() {
        return Err(NO_REGION.into());
    }
    let provider = config.credentials_provider().ok_or(NO_CREDENTIALS)?;
    match provider.provide_credentials().await {
        Ok(_) => Ok(()),
        Err(why) => Err(NoCredentials(why.into()).into()),
    }
}

#[derive(Debug)]
struct NoCredentials(Failure);

impl std::fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(NO_CREDENTIALS)
    }
}

impl std::error::Error for NoCredentials {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}
