#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answer;
mod attempt;
mod client;
mod codes;
mod granted;
mod identity;
mod paced;

pub use attempt::Attempt;
pub use client::PacedHttpClient;
pub use identity::PacedIdentityCache;
pub use paced::{NoHttpClient, Paced};
