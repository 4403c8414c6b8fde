//! `apiqueue proxy`.
mod head;
mod key;
