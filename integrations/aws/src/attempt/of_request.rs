//! What a request that is about to be sent tells of its attempt.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use super::Attempt;

impl Attempt {
    pub(crate) fn sent(request: &HttpRequest) -> Self {
        let scope = request.headers().get("authorization").and_then(scope);
        let (service, region) = match scope {
            Some((service, region)) => (service.to_owned(), region.to_owned()),
            None => (host(request.uri()).to_owned(), String::new()),
        };
        let operation = target(request)
            .or_else(|| form_action(request))
            .unwrap_or_else(|| request.method())
            .to_owned();
        Self {
            service,
            region,
            operation,
        }
    }
}

/// Service and region of `… Credential=ID/DATE/REGION/SERVICE/aws4_request, …`.
fn scope(authorization: &str) -> Option<(&str, &str)> {
    let (_, credential) = authorization.split_once("Credential=")?;
    let mut parts = credential.split(',').next()?.split('/').skip(2);
    let (region, service) = (parts.next()?, parts.next()?);
    Some((service, region))
}

/// Of JSON protocols: `X-Amz-Target: DynamoDB_20120810.ListTables`.
fn target(request: &HttpRequest) -> Option<&str> {
    let target = request.headers().get("x-amz-target")?;
    Some(target.rsplit('.').next().unwrap_or(target))
}

/// Of query protocols: a form in the body with `Action=…` in it.
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

    #[test]
    fn a_query_request_has_its_operation_in_the_form() {
        let request = request("POST", "ec2", "Action=DescribeSnapshots&Version=2016-11-15");
        let key = Attempt::sent(&request).key();
        assert_eq!(key, "ec2/eu-west-1/DescribeSnapshots");
    }

    #[test]
    fn a_json_request_has_its_operation_in_the_target() {
        let mut request = request("POST", "dynamodb", "{}");
        request
            .headers_mut()
            .insert("x-amz-target", "DynamoDB_20120810.PutItem");
        assert_eq!(Attempt::sent(&request).key(), "dynamodb/eu-west-1/PutItem");
    }

    #[test]
    fn a_request_without_an_operation_goes_by_its_method() {
        let key = |method| Attempt::sent(&request(method, "s3", "")).key();
        assert_eq!(key("GET"), "s3/eu-west-1/GET");
        assert_eq!(key("PUT"), "s3/eu-west-1/PUT");
    }

    #[test]
    fn an_unsigned_request_goes_by_its_host() {
        let mut request = request("POST", "ec2", "Action=RunInstances");
        request.headers_mut().remove("authorization");
        let key = Attempt::sent(&request).key();
        assert_eq!(key, "host.example.com//RunInstances");
    }
}
