#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod attempt;
mod client;
mod codes;

pub use attempt::Attempt;
pub use client::PacedHttpClient;
