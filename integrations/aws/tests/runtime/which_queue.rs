//! Which queue an attempt goes through, and where it waits.

use std::time::Duration;

use apiqueue::{Limit, Rate};
use apiqueue_aws::Paced;
use apiqueue_loopback::{Arrival, Loopback};
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_polly::presigning::PresigningConfig;
use aws_sdk_polly::types::{OutputFormat, VoiceId};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::setup::{Keys, Time, call, config, loader, only};

fn fast() -> Limit {
    Limit::rate(Rate::per_second(1_000).unwrap())
}

#[tokio::test]
async fn a_rest_service_knows_its_operation() {
    let (server, keys) = (Loopback::start(), Keys::default());
    let paced = keys.paced(fast());
    let config = config(&server, "/", &paced, &Time::default()).await;
    let polly = aws_sdk_polly::Client::new(&config);
    // The answer is no JSON: that it is refused does not matter here.
    let _ = polly.describe_voices().send().await;
    let _ = polly.delete_lexicon().name("x").send().await;
    let expected = [
        "polly/eu-west-1/DescribeVoices",
        "polly/eu-west-1/DeleteLexicon",
    ];
    let mut asked_for = keys.asked_for();
    asked_for.dedup();
    assert_eq!(asked_for, expected);
}

/// Sends what the SDK would send to AWS to loopback.
#[derive(Clone, Debug)]
struct Diverted<C> {
    inner: C,
    to: String,
}

impl<C: HttpClient + Clone + 'static> HttpClient for Diverted<C> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Diverted {
            inner: self.inner.http_connector(settings, components),
            to: self.to.clone(),
        })
    }
}

impl HttpConnector for Diverted<SharedHttpConnector> {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        request.set_uri(self.to.clone()).unwrap();
        self.inner.call(request)
    }
}

fn scope(arrival: &Arrival) -> String {
    let signature = arrival.headers["authorization"].to_str().unwrap();
    let (_, credential) = signature.split_once("Credential=").unwrap();
    let parts: Vec<_> = credential.split('/').collect();
    format!("{}/{}", parts[3], parts[2])
}

#[tokio::test]
async fn the_key_names_the_region_that_is_signed_for_not_the_one_configured() {
    let (server, keys) = (Loopback::start(), Keys::default());
    let diverted = Diverted {
        inner: aws_smithy_http_client::Builder::new().build_http(),
        to: server.url("/"),
    };
    for configured in ["aws-global", "eu-west-1"] {
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .credentials_provider(Credentials::new("EXAMPLE", "example", None, None, "test"))
            .region(Region::new(configured))
            .http_client(diverted.clone());
        let config = keys.paced(fast()).config(&loader.load().await).unwrap();
        let client = aws_sdk_sts::Client::new(&config);
        // The answer is not one of STS: that it is refused does not matter here.
        let _ = client.get_caller_identity().send().await;
    }
    let signed_for: Vec<_> = server.arrivals().iter().map(scope).collect();
    assert_eq!(signed_for, ["sts/us-east-1", "sts/eu-west-1"]);
    let expected = signed_for
        .iter()
        .map(|it| format!("{it}/GetCallerIdentity"));
    assert_eq!(keys.asked_for(), expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn an_operation_that_is_not_signed_takes_its_turn_as_others_do() {
    let (server, keys) = (Loopback::start(), Keys::default());
    let paced = keys.paced(fast());
    let config = config(&server, "/", &paced, &Time::default()).await;
    let client = aws_sdk_sts::Client::new(&config);
    let call = client.assume_role_with_web_identity();
    let call = call.role_arn("arn:aws:iam::123456789012:role/x");
    let _ = call
        .role_session_name("x")
        .web_identity_token("x")
        .send()
        .await;
    let arrivals = server.arrivals();
    assert_eq!(arrivals.len(), 1);
    assert!(!arrivals[0].headers.contains_key("authorization"));
    // Once, and by what the SDK knows: the HTTP client would know the host alone.
    let expected = ["sts/eu-west-1/AssumeRoleWithWebIdentity"];
    assert_eq!(keys.asked_for(), expected);
}

#[tokio::test]
async fn presigning_takes_no_turn() {
    let (server, time) = (Loopback::start(), Time::default());
    let queue = time.hourly();
    let config = config(&server, "/", &Paced::routed(only(&queue)), &time).await;
    let polly = aws_sdk_polly::Client::new(&config);
    let call = polly.synthesize_speech().text("x").voice_id(VoiceId::Amy);
    let call = call.output_format(OutputFormat::Mp3);
    let how = PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
    for _ in 0..3 {
        let url = call.clone().presigned(how.clone()).await.unwrap();
        assert!(url.uri().contains("X-Amz-Signature"));
    }
    assert_eq!(queue.stats().released, 0);
    assert!(server.arrivals().is_empty());
}

#[tokio::test]
async fn a_request_that_comes_without_a_turn_waits_in_the_http_client() {
    let (server, time) = (Loopback::start(), Time::default());
    let queue = time.hourly();
    let paced = Paced::routed(only(&queue));
    let client = loader(&server, "/").time_source(time.clone());
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = client.http_client(paced.http_client(http)).load().await;
    let client = aws_sdk_polly::Client::new(&config);
    for _ in 0..3 {
        assert!(call(&client).await);
    }
    assert_eq!((queue.stats().released, server.arrivals().len()), (3, 3));
}

#[tokio::test]
async fn an_operation_that_is_not_limited_is_asked_for_once_and_goes_at_once() {
    let (server, keys) = (Loopback::start(), Keys::default());
    let paced = keys.paced(Limit::None);
    let config = config(&server, "/", &paced, &Time::default()).await;
    assert!(call(&aws_sdk_polly::Client::new(&config)).await);
    assert_eq!(server.arrivals().len(), 1);
    assert_eq!(keys.asked_for(), ["polly/eu-west-1/DeleteLexicon"]);
}
