use std::thread;
use std::time::Duration;

use apiqueue::{ApiQueue, Closed, Route, Stop};
use apiqueue_loopback::Loopback;
use ureq::Agent;

use crate::minreq_client::send;
use crate::ureq_client::agent;
use crate::{every, is_free, is_held};

/// With either client; the status, or what went wrong.
#[derive(Clone)]
enum Client {
    Ureq(Agent),
    Minreq(Route<str>),
}

impl Client {
    fn both(queue: &ApiQueue) -> [Self; 2] {
        let ureq = Self::Ureq(agent(queue.clone().into()));
        [ureq, Self::Minreq(queue.clone().into())]
    }

    /// With a timeout of a second, as each has it.
    fn get(&self, url: &str) -> Result<u16, String> {
        let timeout = Duration::from_secs(1);
        match self {
            Self::Ureq(agent) => match agent
                .get(url)
                .config()
                .timeout_global(Some(timeout))
                .timeout_per_call(Some(timeout))
                .build()
                .call()
            {
                Ok(answer) => Ok(answer.status().as_u16()),
                Err(why) => Err(why.to_string()),
            },
            Self::Minreq(route) => match send(route, "service", minreq::get(url).with_timeout(1)) {
                Ok(answer) => Ok(answer.status_code as u16),
                Err(why) => Err(why.to_string()),
            },
        }
    }
}

#[test]
fn sixty_four_callers_share_one_line() {
    let server = Loopback::start();
    let queue = every(2);
    let clients = Client::both(&queue);
    thread::scope(|scope| {
        for n in 0..64 {
            let (client, url) = (&clients[n % 2], server.url("/"));
            scope.spawn(move || assert_eq!(client.get(&url), Ok(200)));
        }
    });
    assert_eq!((queue.stats().released, server.arrivals().len()), (64, 64));
}

#[test]
fn an_answer_that_throttles_holds_the_queue() {
    let server = Loopback::start();
    for n in 0..2 {
        let queue = every(1);
        let client = &Client::both(&queue)[n];
        assert_eq!(client.get(&server.url("/answer/404")), Ok(404));
        is_free(&queue);
        assert_eq!(client.get(&server.url("/throttle/30")), Ok(503));
        is_held(&queue, 30);
    }
}

#[test]
fn what_breaks_is_the_client_s_own_error_and_a_stopped_queue_says_so() {
    let server = Loopback::start();
    for n in 0..2 {
        let queue = ApiQueue::builder().at_once(1).start().unwrap();
        let client = &Client::both(&queue)[n];
        assert!(client.get(&server.url("/reset")).is_err());
        assert_eq!(queue.under_way(), 0);
        assert_eq!(client.get(&server.url("/")), Ok(200));
        queue.stop(Stop::Now);
        let why = client.get(&server.url("/")).unwrap_err();
        assert!(why.contains(&Closed.to_string()), "{why}");
    }
}

#[test]
fn the_client_s_timeout_does_not_count_the_wait() {
    let server = Loopback::start();
    let queue = every(1_500);
    queue.wait_turn().unwrap();
    for client in Client::both(&queue) {
        assert_eq!(client.get(&server.url("/")), Ok(200), "it waited longer");
    }
    let queue = ApiQueue::builder().at_once(1).start().unwrap();
    for client in Client::both(&queue) {
        assert!(client.get(&server.url("/hang")).is_err());
        assert_eq!(queue.under_way(), 0);
    }
}
