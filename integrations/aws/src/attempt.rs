//! [`Attempt`]: what a request of the SDK says about where it goes and what it does.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

/// Service, region and action of one attempt, as far as the request tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Attempt {
    /// The service that it is signed for, such as `ec2`; the host of an unsigned request.
    pub service: String,
    /// The region that it is signed for; empty for an unsigned request.
    pub region: String,
    /// The action, such as `DescribeSnapshots`; the HTTP method for services that name none, such as S3.
    pub action: String,
}

impl Attempt {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let scope = request.headers().get("authorization").and_then(scope);
        let (service, region) = match scope {
            Some((service, region)) => (service.to_owned(), region.to_owned()),
            None => (host(request.uri()).to_owned(), String::new()),
        };
        let action = target(request)
            .or_else(|| form_action(request))
            .unwrap_or_else(|| request.method())
            .to_owned();
        Self {
            service,
            region,
            action,
        }
    }

    /// The class of the action: `describe`, `run`, `terminate` or `mutate`.
    #[must_use]
    pub fn class(&self) -> &'static str {
        let reads = ["Describe", "List", "Get", "Search"];
        match self.action.as_str() {
            "RunInstances" => "run",
            "TerminateInstances" => "terminate",
            "GET" | "HEAD" => "describe",
            action if reads.iter().any(|verb| action.starts_with(verb)) => "describe",
            _ => "mutate",
        }
    }

    /// `service/region/class`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.service, self.region, self.class())
    }
}

/// Service and region of `… Credential=ID/DATE/REGION/SERVICE/aws4_request, …`.
fn scope(authorization: &str) -> Option<(&str, &str)> {
    let (_, credential) = authorization.split_once("Credential=")?;
    let mut parts = credential.split(',').next()?.split('/').skip(2);
    let (region, service) = (parts.next()?, parts.next()?);
    Some((service, region))
}

/// The action of JSON protocols: `X-Amz-Target: DynamoDB_20120810.ListTables`.
fn target(request: &HttpRequest) -> Option<&str> {
    let target = request.headers().get("x-amz-target")?;
    Some(target.rsplit('.').next().unwrap_or(target))
}

/// The action of query protocols: a form in the body with `Action=…` in it.
fn form_action(request: &HttpRequest) -> Option<&str> {
    let form = std::str::from_utf8(request.body().bytes()?).ok()?;
    form.split('&')
        .find_map(|pair| pair.strip_prefix("Action="))
}

fn host(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest.split(['/', '?', ':']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn request(method: &str, service: &str, body: &'static str) -> HttpRequest {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20261123/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
        );
        let request = http::Request::builder()
            .method(method)
            .uri("https://host.example.com:443/path?x=1")
            .header("authorization", authorization)
            .body(SdkBody::from(body));
        request.unwrap().try_into().unwrap()
    }

    fn signed(service: &str, body: &'static str) -> HttpRequest {
        request("POST", service, body)
    }

    #[test]
    fn a_query_request_has_its_action_in_the_form() {
        let attempt = Attempt::of(&signed(
            "ec2",
            "Action=DescribeSnapshots&Version=2016-11-15",
        ));
        assert_eq!(attempt.key(), "ec2/eu-west-1/describe");
        assert_eq!(attempt.action, "DescribeSnapshots");
    }

    #[test]
    fn a_json_request_has_its_action_in_the_target() {
        let mut request = signed("dynamodb", "{}");
        request
            .headers_mut()
            .insert("x-amz-target", "DynamoDB_20120810.PutItem");
        let attempt = Attempt::of(&request);
        assert_eq!(
            (attempt.action.as_str(), attempt.class()),
            ("PutItem", "mutate")
        );
    }

    #[test]
    fn a_request_without_an_action_goes_by_its_method() {
        assert_eq!(
            Attempt::of(&request("GET", "s3", "")).key(),
            "s3/eu-west-1/describe"
        );
        assert_eq!(
            Attempt::of(&request("PUT", "s3", "")).key(),
            "s3/eu-west-1/mutate"
        );
    }

    #[test]
    fn an_unsigned_request_goes_by_its_host() {
        let mut request = signed("ec2", "Action=RunInstances");
        request.headers_mut().remove("authorization");
        assert_eq!(Attempt::of(&request).key(), "host.example.com//run");
    }

    #[test]
    fn each_of_ec2s_buckets_is_a_class() {
        for (body, class) in [
            ("Action=DescribeVolumes", "describe"),
            ("Action=RunInstances", "run"),
            ("Action=TerminateInstances", "terminate"),
            ("Action=CreateTags", "mutate"),
        ] {
            assert_eq!(Attempt::of(&signed("ec2", body)).class(), class);
        }
    }
}
