//! The limits that AWS publishes, and files over others.

use std::time::Duration;

use apiqueue::{ApiQueue, Limit, Limits, Rate, Registry, TryAcquireError};

fn queue(registry: &Registry, key: &str) -> ApiQueue {
    registry.queue(key).unwrap().unwrap()
}

fn is_free(queue: &ApiQueue) -> bool {
    let taken = queue.try_acquire();
    let is_late = matches!(taken, Err(TryAcquireError::NotYet { .. }));
    assert!(taken.is_ok() || is_late, "{taken:?}");
    taken.is_ok()
}

#[test]
fn the_file_of_aws_can_be_read_and_is_what_aws_gives() {
    let read = Limits::from_toml(Limits::AWS).unwrap();
    for key in [
        "ec2/x/CreateTags",
        "cloudtrail/x/LookupEvents",
        "s3/x/GetObject",
    ] {
        let [read, given] = [&read, &Limits::aws()].map(|limits| match limits.of(key) {
            Limit::None => None,
            Limit::Queue(builder) => Some(builder.start().unwrap().rate()),
        });
        assert_eq!(read, given, "{key}");
    }
}

/// The page's bucket and refill, by its name, and the tenth that is left to others.
#[test]
fn a_key_has_its_published_bucket_less_a_tenth() {
    let registry = Registry::from(Limits::aws());
    for (operation, bucket, millihertz) in [
        ("DescribeRegions", 100, 20_000),
        ("SearchTransitGatewayRoutes", 100, 20_000),
        ("DescribeSnapshots", 50, 10_000),
        ("CreateCapacityReservation", 50, 5_000),
        ("AuthorizeSecurityGroupIngress", 50, 5_000),
        ("RunInstances", 5, 2_000),
        ("TerminateInstances", 100, 5_000),
        ("DescribeSpotDatafeedSubscription", 100, 13_000),
        ("AdvertiseByoipCidr", 1, 100),
        ("CreateVpcEndpoint", 4, 300),
        ("PurchaseCapacityBlock", 10, 150),
        ("DescribeByoipCidrs", 1, 500),
    ] {
        let rate = queue(&registry, &format!("ec2/eu-west-1/{operation}")).rate();
        assert_eq!(rate.burst_size(), (bucket * 9 / 10).max(1), "{operation}");
        let fastest = Duration::from_secs(1_000) * 10 / 9 / millihertz;
        assert!(rate.interval() >= fastest, "{operation}: {rate}");
        assert!(
            rate.interval() <= fastest * 1_001 / 1_000,
            "{operation}: {rate}"
        );
    }
}

#[test]
fn regions_and_operations_have_buckets_of_their_own_and_route_53_has_one() {
    let registry = Registry::from(Limits::aws());
    for key in ["DescribeByoipCidrs", "AdvertiseByoipCidr"] {
        for region in ["eu-west-1", "us-east-1"] {
            let queue = queue(&registry, &format!("ec2/{region}/{key}"));
            assert!(is_free(&queue));
            assert!(!is_free(&queue));
        }
    }
    assert!(is_free(&queue(
        &registry,
        "route53/us-east-1/ListHostedZones"
    )));
    let other = queue(&registry, "route53/us-east-1/GetHostedZone");
    assert!(!is_free(&other));
}

#[test]
fn what_a_file_says_goes_first_and_the_rest_stays() {
    let beneath = Limits::new(Limit::rate(Rate::per_second(7).unwrap()))
        .set("ec2/*/DescribeSnapshots", Limit::None)
        .set("sts/x", Limit::rate(Rate::per_second(8).unwrap()));
    let over = "[\"ec2/*\"]\nper_second = 3\n\n[s3]\nunlimited = true\n";
    let limits = beneath.clone().overridden(over).unwrap();
    let registry = Registry::from(limits.clone());
    let rate = |key| queue(&registry, key).rate().to_string();
    // However much more specific the one beneath is.
    assert_eq!(rate("ec2/x/DescribeSnapshots"), "3/s");
    assert_eq!((rate("sts/x").as_str(), rate("y").as_str()), ("8/s", "7/s"));
    assert!(registry.queue("s3").unwrap().is_none());
    // A second file over the first, and a key that is set goes before both.
    let limits = limits.overridden("[\"ec2/a\"]\nper_second = 4\n").unwrap();
    let limits = limits.set("s3", Limit::rate(Rate::per_second(5).unwrap()));
    let registry = Registry::from(limits);
    let rate = |key| queue(&registry, key).rate().to_string();
    assert_eq!((rate("ec2/a"), rate("ec2/b")), ("4/s".into(), "3/s".into()));
    assert_eq!((rate("s3"), rate("y")), ("5/s".into(), "7/s".into()));
    // With a default of its own, nothing beneath counts.
    let limits = beneath.overridden("[default]\nper_second = 9\n").unwrap();
    let queue = queue(&Registry::from(limits), "sts/x");
    assert_eq!(
        (queue.rate().to_string(), queue.name()),
        ("9/s".into(), "sts/x")
    );
}

#[test]
fn accounts_are_found_in_both_and_keys_know_their_own_files() {
    let limits = Limits::aws().overridden("[account.eu]\nper_second = 1\n[x]\nwithin = \"eu\"\n");
    let limits = limits.unwrap();
    assert!(limits.account("eu").is_some() && limits.account("route53").is_some());
    assert!(limits.account("us").is_none());
    let why = Limits::aws().overridden("[x]\nwithin = \"route53\"\n");
    let why = why.unwrap_err();
    assert_eq!((why.line, why.key.as_str()), (2, "x.within"));
}
