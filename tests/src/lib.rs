//! Cross-crate tests of apiqueue: the model, and what the test files share.
