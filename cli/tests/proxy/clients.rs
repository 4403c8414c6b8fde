//! Programs that nobody has changed, on an endpoint that throttles as EC2 does. Those that are not installed are named and skipped.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::support::*;

/// A bucket of calls, refilled all the time.
struct Bucket {
    left: f64,
    at: Instant,
}

const CAPACITY: f64 = 20.0;
const PER_SECOND: f64 = 40.0;

/// The limit that goes with it: less than the bucket by a tenth.
const LIMITS: &str =
    "[default]\nunlimited = true\n[\"ec2/*/*\"]\nper_second = 40\nburst = 20\nleave_percent = 10\n";

/// An endpoint with a token bucket, which counts the calls that it refused. It notes the signed hosts.
fn ec2() -> (Origin, Arc<Mutex<usize>>) {
    let refused = Arc::new(Mutex::new(0));
    let count = Arc::clone(&refused);
    let bucket = Mutex::new(Bucket {
        left: CAPACITY,
        at: Instant::now(),
    });
    let origin = Origin::answering(move |_| {
        let mut bucket = bucket.lock().unwrap();
        let now = Instant::now();
        let gained = (now - bucket.at).as_secs_f64() * PER_SECOND;
        *bucket = Bucket {
            left: (bucket.left + gained).min(CAPACITY),
            at: now,
        };
        let (status, body) = if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            (
                "200 OK",
                "<DescribeVolumesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>1</requestId><volumeSet/></DescribeVolumesResponse>",
            )
        } else {
            *count.lock().unwrap() += 1;
            (
                "503 Service Unavailable",
                "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></Errors><RequestID>1</RequestID></Response>",
            )
        };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    });
    (origin, refused)
}

/// Runs a program with the proxy in its environment. None where there is no such program.
fn run(proxy: SocketAddr, program: &str, args: &[&str]) -> Option<String> {
    let proxy = format!("http://{proxy}");
    let output = Command::new(program)
        .args(args)
        .envs([("http_proxy", &proxy), ("HTTP_PROXY", &proxy)])
        .envs([("no_proxy", ""), ("NO_PROXY", "")])
        .envs([
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ])
        .output()
        .ok()?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {out}{err}");
    Some(out)
}

#[test]
fn curl_is_never_throttled() {
    let (origin, refused) = ec2();
    let proxy = Proxy::start(LIMITS);
    let url = format!("http://{}/?Action=DescribeVolumes&n=[1-60]", origin.address);
    let args = [
        "-sS",
        "--fail",
        "--parallel",
        "--aws-sigv4",
        "aws:amz:eu-west-1:ec2",
        "-u",
        "AKID:secret",
        &url,
    ];
    if run(proxy.address, "curl", &args).is_none() {
        println!("skipped: there is no curl");
        return;
    }
    assert_eq!(origin.seen().len(), 60);
    assert_eq!(*refused.lock().unwrap(), 0);
    let head = &origin.seen()[0].head;
    assert!(
        field(head, "authorization")
            .unwrap()
            .contains("/eu-west-1/ec2/aws4_request")
    );
}

/// What boto3 sends is signed anew by botocore itself, with what has arrived.
const BOTO3: &str = r#"
import sys, concurrent.futures, boto3
from botocore.config import Config
once = Config(retries={"total_max_attempts": 1}, max_pool_connections=16)
ec2 = boto3.client("ec2", region_name="eu-west-1", endpoint_url=sys.argv[1], config=once)
with concurrent.futures.ThreadPoolExecutor(16) as pool:
    calls = [pool.submit(ec2.describe_volumes) for _ in range(60)]
    print(sum("Volumes" in call.result() for call in calls))
"#;

const VERIFY: &str = r#"
import sys, json
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
seen = json.load(open(sys.argv[1]))
told = seen["headers"]["authorization"]
names = told.split("SignedHeaders=")[1].split(",")[0].split(";")
auth = SigV4Auth(Credentials("AKID", "secret"), "ec2", "eu-west-1")
request = AWSRequest("POST", "http://" + seen["headers"]["host"] + "/", data=seen["body"].encode(), headers={n: seen["headers"][n] for n in names})
request.context["timestamp"] = seen["headers"]["x-amz-date"]
text = auth.string_to_sign(request, auth.canonical_request(request))
assert told.endswith("Signature=" + auth.signature(text, request)), told
print("verified")
"#;

#[test]
fn boto3_is_never_throttled_and_its_signature_is_intact() {
    let python = std::env::var("APIQUEUE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&python).args(["-c", "import boto3"]).output();
    if !there.is_ok_and(|there| there.status.success()) {
        println!(
            "skipped: there is no boto3 for {python}; APIQUEUE_TEST_PYTHON names one that has it"
        );
        return;
    }
    let (origin, refused) = ec2();
    let proxy = Proxy::start(LIMITS);
    let endpoint = format!("http://{}", origin.address);
    let out = run(proxy.address, &python, &["-c", BOTO3, &endpoint]).unwrap();
    assert_eq!(out.trim(), "60");
    assert_eq!(*refused.lock().unwrap(), 0);
    let seen = origin.seen();
    assert_eq!(seen.len(), 60);
    let headers = seen[0].head.lines().skip(1).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some(format!(
            "{:?}:{:?}",
            name.to_ascii_lowercase(),
            value.trim()
        ))
    });
    let headers = headers.collect::<Vec<_>>().join(",");
    let body = String::from_utf8_lossy(&seen[0].body).into_owned();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        format!("{{\"headers\":{{{headers}}},\"body\":{body:?}}}"),
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    assert_eq!(
        run(proxy.address, &python, &["-c", VERIFY, path])
            .unwrap()
            .trim(),
        "verified"
    );
}

#[test]
fn the_same_calls_without_the_proxy_are_throttled() {
    // Else nothing is shown by the others.
    let (origin, refused) = ec2();
    let url = format!("http://{}/?Action=DescribeVolumes&n=[1-60]", origin.address);
    let done = Command::new("curl")
        .args(["-sS", "--noproxy", "*", "--parallel", &url])
        .output();
    if done.is_err() {
        println!("skipped: there is no curl");
        return;
    }
    assert_eq!(origin.seen().len(), 60);
    assert!(*refused.lock().unwrap() > 0);
}
