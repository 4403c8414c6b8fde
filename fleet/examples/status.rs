//! A limit as the server sees it: its rate, the next slot, a hold, and who is there. It changes nothing.
//! `cargo run -p apiqueue-fleet --example status -- redis://127.0.0.1/ ec2`

use std::error::Error;

use apiqueue_fleet::{Backend, RedisBackend};
use futures_lite::future::block_on;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(name)) = (arguments.next(), arguments.next()) else {
        return Err("usage: status URL NAME".into());
    };
    let redis = RedisBackend::connect(&url)?;
    match block_on(redis.look(&name))? {
        Some(state) => println!("{name}: {state}"),
        None => println!("{name}: nobody has used it for a week"),
    }
    Ok(())
}
