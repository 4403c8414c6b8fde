use std::time::{Duration, Instant};

use apiqueue::ApiQueue;
use apiqueue_loopback::{Loopback, Response};
use octocrab::Octocrab;

use crate::octocrab_client::{all_issues, client, heed};
use crate::{every, is_free, is_held};

fn crab(server: &Loopback, queue: &ApiQueue) -> Octocrab {
    client(server.url("").parse().unwrap(), queue.clone())
}

/// Of three issues, a page for each.
fn paged() -> Loopback {
    Loopback::answering(|request| {
        let page: u32 = match request.uri().query() {
            None => 1,
            Some(query) => query.strip_prefix("page=").unwrap().parse().unwrap(),
        };
        let answer = Response::builder();
        let answer = match page {
            3 => answer,
            _ => answer.header("link", format!("</repos/a/b/issues?page={}>; rel=\"next\", </repos/a/b/issues?page=3>; rel=\"last\"", page + 1)),
        };
        answer.body(format!("[{{\"id\":{page}}}]").into()).ok()
    })
}

#[tokio::test]
async fn each_page_takes_a_turn() {
    let server = paged();
    let queue = every(20);
    let began = Instant::now();
    let issues = all_issues(&crab(&server, &queue), &queue).await.unwrap();
    let ids: Vec<_> = issues
        .iter()
        .map(|issue| issue["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!((queue.stats().released, server.arrivals().len()), (3, 3));
    assert!(began.elapsed() >= Duration::from_millis(40));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paginators_of_sixty_four_callers_share_one_line_page_by_page() {
    let server = paged();
    let queue = every(1);
    let crab = crab(&server, &queue);
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let (crab, queue) = (crab.clone(), queue.clone());
            tokio::spawn(async move { all_issues(&crab, &queue).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().len(), 3);
    }
    assert_eq!(queue.stats().released, 3 * 64);
}

#[tokio::test]
async fn github_s_limits_hold_the_queue() {
    let server = Loopback::start();
    for (path, seconds) in [
        (
            "/answer/403/x-ratelimit-remaining=0/x-ratelimit-reset=45",
            45,
        ),
        ("/answer/429/retry-after=30", 30),
        ("/forbidden/You+have+exceeded+a+secondary+rate+limit", 60),
        ("/forbidden/Must+have+admin+rights", 0),
        ("/cut/403", 0),
        ("/reset", 0),
    ] {
        let queue = every(1);
        let answer = crab(&server, &queue).get::<(), _, ()>(path, None).await;
        heed(&queue, &answer.unwrap_err());
        match seconds {
            0 => is_free(&queue),
            _ => is_held(&queue, seconds),
        }
    }
}
