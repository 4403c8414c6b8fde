//! Listings at the same time, and a count of what the SDK did for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;

/// What can go wrong.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the listings came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// From the first call to the last answer.
    pub(crate) time: Duration,
    /// Snapshots found by all listings.
    pub(crate) snapshots: usize,
    /// Requests that the SDK sent.
    pub(crate) attempts: u64,
    /// Those of them that were retries.
    pub(crate) retries: u64,
    /// Listings that the SDK gave up.
    pub(crate) failed: usize,
}

/// Runs `listings` of all snapshots at the same time, `page` snapshots a page.
pub(crate) async fn run(config: &SdkConfig, listings: u32, page: i32) -> Result<Outcome, Failure> {
    let (client, counts) = counted(config);
    let start = Instant::now();
    let listings: Vec<_> = (0..listings)
        .map(|_| {
            let pages = client.describe_snapshots().max_results(page);
            tokio::spawn(async move {
                let mut pages = pages.into_paginator().send();
                let mut found = 0;
                while let Some(page) = pages.next().await {
                    found += page?.snapshots().len();
                }
                Ok::<_, Failure>(found)
            })
        })
        .collect();
    let (mut snapshots, mut failed, mut first) = (0, 0, None);
    let total = listings.len();
    for listing in listings {
        match listing.await? {
            Ok(found) => snapshots += found,
            Err(why) => {
                failed += 1;
                first.get_or_insert(why);
            }
        }
    }
    match first {
        // Nothing worked: that is no result but an error.
        Some(why) if failed == total && snapshots == 0 => Err(why),
        _ => Ok(Outcome {
            time: start.elapsed(),
            snapshots,
            attempts: counts.attempts(),
            retries: counts.retries(),
            failed,
        }),
    }
}

/// A client whose operations and attempts are counted.
pub(crate) fn counted(config: &SdkConfig) -> (Client, Counts) {
    let counts = Counts::default();
    let config = aws_sdk_ec2::config::Builder::from(config)
        .interceptor(counts.clone())
        .build();
    (Client::from_conf(config), counts)
}

/// Counts operations and attempts from inside the SDK.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    operations: Arc<AtomicU64>,
    attempts: Arc<AtomicU64>,
}

impl Counts {
    /// Requests that the SDK made.
    pub(crate) fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// Those of them that were retries.
    pub(crate) fn retries(&self) -> u64 {
        self.attempts() - self.operations.load(Ordering::Relaxed)
    }
}

impl Intercept for Counts {
    fn name(&self) -> &'static str {
        "Counts"
    }

    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.operations.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
