//! Which key a request has.
#![allow(clippy::unwrap_used)]

use http::Request;

use super::aws::{NotYet, of_form};
use super::*;

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKID/20261123/eu-west-1/ec2/aws4_request, SignedHeaders=host, Signature=00";

fn parts(method: &str, path: &str, lines: &[(&str, &str)]) -> Parts {
    let request = Request::builder().method(method).uri(path);
    let request = lines.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    request.body(()).unwrap().into_parts().0
}

fn to(host: &str, port: u16) -> Target {
    Target {
        host: host.to_owned(),
        port,
        is_https: false,
    }
}

fn key(tables: &[&str], host: &str, path: &str) -> String {
    let tables = Tables::new(tables.iter().map(ToString::to_string));
    match tables.key(&parts("GET", path, &[]), &to(host, 80)) {
        Key::Of(key) | Key::Aws(key) => key,
        Key::InForm(scope) => scope.key("in the form"),
    }
}

#[test]
fn the_longest_table_that_fits_a_path_is_the_key() {
    let tables = [
        "a.example",
        "a.example/search",
        "a.example/search/code",
        "default",
        "*",
    ];
    for (path, table) in [
        ("/", "a.example"),
        ("/search", "a.example/search"),
        ("/search/", "a.example/search"),
        ("/search/users?q=/search/code", "a.example/search"),
        ("/search/code/x", "a.example/search/code"),
        ("/search/codes", "a.example/search"),
        ("/searching", "a.example"),
        ("/x/../search/./code", "a.example/search/code"),
        ("//search//code", "a.example/search/code"),
        ("/%73earch/%63ode", "a.example/search/code"),
        ("/search%2Fcode", "a.example/search/code"),
        ("/../../search", "a.example/search"),
        ("/search/..", "a.example"),
        ("/%zz/%", "a.example"),
    ] {
        assert_eq!(key(&tables, "a.example", path), table, "{path}");
    }
}

#[test]
fn without_a_table_the_host_is_the_key_with_a_port_that_is_not_the_usual_one() {
    assert_eq!(key(&["a.example/x"], "a.example", "/y"), "a.example");
    assert_eq!(key(&["a.example"], "a.example.org", "/"), "a.example.org");
    let tables = Tables::default();
    let of = |target: &Target| tables.key_of_connection(target);
    assert_eq!(of(&to("a.example", 81)), "a.example:81");
    let https = Target {
        is_https: true,
        ..to("a.example", 443)
    };
    assert_eq!(of(&https), "a.example");
}

#[test]
fn a_signed_request_is_keyed_by_what_it_is_signed_for() {
    let tables = Tables::default();
    let target = to("127.0.0.1", 4566);
    let form = (
        "content-type",
        "application/x-www-form-urlencoded; charset=utf-8",
    );
    let of = |method, path, lines: &[_]| {
        let lines = [&[("authorization", SIGNED)], lines].concat();
        tables.key(&parts(method, path, &lines), &target)
    };
    let aws = |operation| Key::Aws(format!("ec2/eu-west-1/{operation}"));
    assert_eq!(of("GET", "/x", &[]), aws("GET"));
    assert_eq!(
        of("GET", "/?Action=RunInstances&Version=1", &[]),
        aws("RunInstances")
    );
    assert_eq!(
        of(
            "POST",
            "/",
            &[("x-amz-target", "DynamoDB_20120810.PutItem")]
        ),
        aws("PutItem")
    );
    let cbor = ("smithy-protocol", "rpc-v2-cbor");
    assert_eq!(
        of("POST", "/service/G/operation/ListMetrics", &[cbor]),
        aws("ListMetrics")
    );
    assert!(matches!(of("POST", "/", &[form]), Key::InForm(_)));
    assert_eq!(of("GET", "/?Action=a/../b", &[]), aws("GET"));
    let long = format!("/?Action={}", "x".repeat(129));
    assert_eq!(of("GET", &long, &[]), aws("GET"));
    // A table of this very host was meant.
    let tables = Tables::new(["127.0.0.1:4566".to_owned()]);
    let signed = parts("GET", "/", &[("authorization", SIGNED)]);
    assert_eq!(
        tables.key(&signed, &target),
        Key::Of("127.0.0.1:4566".to_owned())
    );
}

#[test]
fn other_signatures_and_hosts_of_aws_tell_it_too() {
    let scope = |host: &str, path: &str, lines: &[_]| {
        let scope = aws::scope(&parts("GET", path, lines), host);
        scope.map(|scope| format!("{}/{}", scope.service, scope.region))
    };
    let presigned =
        "/x?X-Amz-Algorithm=A&X-Amz-Credential=AKID%2F20261123%2Feu-west-1%2Fs3%2Faws4_request";
    assert_eq!(scope("h", presigned, &[]).unwrap(), "s3/eu-west-1");
    let many = [
        (
            "authorization",
            "AWS4-ECDSA-P256-SHA256 Credential=AKID/20261123/s3/aws4_request, Signature=0",
        ),
        ("x-amz-region-set", "*"),
    ];
    assert_eq!(scope("h", "/", &many).unwrap(), "s3/*");
    for (host, told) in [
        ("ec2.eu-west-1.amazonaws.com", "ec2/eu-west-1"),
        ("sts.amazonaws.com", "sts/us-east-1"),
        ("bucket.s3.eu-west-1.amazonaws.com", "s3/eu-west-1"),
        (
            "bucket.s3.dualstack.eu-west-1.amazonaws.com",
            "s3/eu-west-1",
        ),
        ("a.b.s3.amazonaws.com", "s3/us-east-1"),
        ("ec2.cn-north-1.amazonaws.com.cn", "ec2/cn-north-1"),
        ("ec2.us-gov-west-1.api.aws", "ec2/us-gov-west-1"),
        ("sts-fips.us-east-2.amazonaws.com", "sts/us-east-2"),
    ] {
        assert_eq!(scope(host, "/", &[]).as_deref(), Some(told), "{host}");
    }
    assert_eq!(scope("amazonaws.com", "/", &[]), None);
    assert_eq!(scope("ec2.amazonaws.com.evil.example", "/", &[]), None);
    for bad in [
        "Credential=",
        "Credential=/////",
        "Credential=A/20260101/e/s p/aws4_request",
        "Bearer x",
    ] {
        assert_eq!(scope("h", "/", &[("authorization", bad)]), None, "{bad}");
    }
}

#[test]
fn a_form_tells_its_operation_once_that_has_come_whole() {
    let some = |name: &str| Ok(Some(name.to_owned()));
    assert_eq!(
        of_form(b"Action=DescribeVolumes&Version=1", false),
        some("DescribeVolumes")
    );
    assert_eq!(of_form(b"Version=1&Action=Run", false), Err(NotYet));
    assert_eq!(of_form(b"Version=1&Action=Run", true), some("Run"));
    assert_eq!(of_form(b"Action=Run&", false), some("Run"));
    assert_eq!(of_form(b"", false), Err(NotYet));
    assert_eq!(of_form(b"", true), Ok(None));
    assert_eq!(of_form(b"xAction=Run", true), Ok(None));
    assert_eq!(of_form(b"Action=\xff\xfe&", false), Ok(None));
}
