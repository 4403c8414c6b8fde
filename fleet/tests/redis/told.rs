//! What is told of a server that can't be used.

use apiqueue_fleet::{RedisBackend, RedisCredentials};

use crate::attacks::{assert_refused, connect, patient, reserve};
use crate::fake::{Fake, Reply};
use crate::server::Server;

pub(crate) fn what_a_server_says_is_told_in_few_words() {
    let text = "x".repeat(3_000_000);
    let bulk = format!("${}\r\n{text}", text.len());
    for long in [bulk, format!("-ERR {text}")] {
        let fake = Fake::start(move |_, _| Reply::line(&long));
        let backend = connect(&fake.url());
        let why = reserve(&backend, "x").unwrap_err();
        assert!(why.to_string().len() < 1_000, "{}", why.to_string().len());
    }
}

pub(crate) fn a_server_without_authentication_is_not_told_of_with_the_password() {
    let server = Server::start_with(&["--rename-command", "AUTH", ""]);
    // Redis repeats the beginning of what it does not know: the whole of one, a part of the other.
    for password in ["s3cr t".to_owned(), "s3cr".repeat(500)] {
        let options = patient().credentials(RedisCredentials::new("user", password));
        let backend = RedisBackend::connect_with(&server.url(), options).unwrap();
        let why = reserve(&backend, "x").unwrap_err();
        assert_refused(&why);
        assert!(!why.to_string().contains("s3cr"), "{why}");
    }
}

pub(crate) fn a_server_that_runs_no_scripts_is_told_of() {
    let server = Server::start_with(&["--rename-command", "EVALSHA", ""]);
    let why = reserve(&connect(&server.url()), "x").unwrap_err();
    assert_refused(&why);
    assert!(why.to_string().contains("runs no scripts"), "{why}");
}

pub(crate) fn a_server_that_is_too_old_is_told_which_one_is_needed() {
    let fake = Fake::start(|_, _| {
        Reply::line(
            "-ERR Error running script (call to f_0): @user_script:17: @user_script: 17: Write commands not allowed after \
             non deterministic commands. Call redis.replicate_commands() at the start of your script in order to switch to \
             single commands replication mode.",
        )
    });
    let why = reserve(&connect(&fake.url()), "x").unwrap_err();
    assert_refused(&why);
    assert!(why.to_string().contains("Redis 5.0"), "{why}");
}
