//! What queues are called, and how keys are looked up.

use std::sync::Arc;

use apiqueue::{ApiQueue, Limit, Limits, Rate, Registry};

use crate::per_second;

#[test]
fn a_queue_is_named_by_its_key_unless_the_rule_names_it() {
    let registry = Registry::new(|key: &u32| match key {
        0 => Limit::Queue(ApiQueue::builder().per_second(1).name("free")),
        _ => Limit::rate(Rate::per_second(1).unwrap()),
    });
    let clone = registry.clone();
    let name = |key: u32| clone.queue(&key).unwrap().unwrap().name().to_owned();
    assert_eq!(name(1), "");
    let registry = registry.named(|key| format!("customer {key}"));
    assert_eq!((name(0), name(2)), ("free".into(), "customer 2".into()));
    let _registry = registry.named(|key| key.to_string());
    assert_eq!(name(3), "3", "the last one counts");
}

#[test]
fn keys_that_are_text_are_found_by_a_borrowed_one() {
    let registry = Registry::from(Limits::new(per_second(1)));
    let of_text = registry.queue("ec2").unwrap().unwrap();
    assert!(of_text.try_acquire().is_ok());
    let owned = registry.queue(&"ec2".to_owned()).unwrap().unwrap();
    assert!(owned.try_acquire().is_err(), "the same queue");
    assert_eq!(registry.len(), 1);

    let shared: Registry<Arc<u8>> = Registry::new(|_| Limit::None);
    assert!(shared.queue(&Arc::new(1)).unwrap().is_none());
}
