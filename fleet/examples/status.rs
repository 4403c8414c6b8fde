//! A limit as its backend sees it: its rate, the next slot, a hold, and who is there. It changes nothing.
//! `cargo run -p apiqueue-fleet --example status -- redis://127.0.0.1/ ec2`, or with a directory of files instead of the URL.

use std::error::Error;

use apiqueue_fleet::{Backend, LimitState, RedisBackend};
use futures_lite::future::block_on;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(place), Some(name)) = (arguments.next(), arguments.next()) else {
        return Err("usage: status URL|DIRECTORY NAME".into());
    };
    match look(&place, &name)? {
        Some(state) => println!("{name}: {state}"),
        None => println!("{name}: not known there"),
    }
    Ok(())
}

fn look(place: &str, name: &str) -> Result<Option<LimitState>, Box<dyn Error>> {
    if place.contains("://") {
        return Ok(block_on(RedisBackend::connect(place)?.look(name))?);
    }
    #[cfg(all(feature = "file", unix))]
    return Ok(block_on(
        apiqueue_fleet::FileBackend::open(place)?.look(name),
    )?);
    #[cfg(not(all(feature = "file", unix)))]
    Err(format!("not a URL: {place}").into())
}
