//! [`Telling`]: tells somebody of news, on a thread of its own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::guarded::{guarded, lock};
use crate::host::News;

/// The most news that wait to be told. The oldest are dropped for newer ones.
const MOST: usize = 256;

/// Whom to tell, who is user code and may take as long as he likes: the thread that drives all queues does not wait for it. There is a thread
/// only while there is something to tell.
pub(crate) struct Telling {
    tell: Box<dyn Fn(&News) + Send + Sync>,
    pending: Mutex<Pending>,
    process: u32,
}

#[derive(Default)]
struct Pending {
    news: VecDeque<News>,
    /// The process in which a thread takes them one after the other. A fork copies no thread.
    told_in: Option<u32>,
}

impl Telling {
    pub(crate) fn new(tell: impl Fn(&News) + Send + Sync + 'static) -> Self {
        Self {
            tell: Box::new(tell),
            pending: Mutex::default(),
            process: std::process::id(),
        }
    }

    pub(crate) fn tell(self: &Arc<Self>, news: News) {
        let Some(mut pending) = lock(&self.pending, self.process) else {
            return;
        };
        if pending.news.len() == MOST {
            pending.news.pop_front();
        }
        pending.news.push_back(news);
        let here = std::process::id();
        if pending.told_in == Some(here) {
            return;
        }
        let this = Arc::clone(self);
        let thread = thread::Builder::new().name("apiqueue-news".to_owned());
        // Without a thread they wait for the next.
        pending.told_in = thread
            .spawn(move || this.tell_all())
            .is_ok()
            .then_some(here);
    }

    fn tell_all(&self) {
        while let Some(news) = self.next() {
            guarded(|| (self.tell)(&news));
        }
    }

    fn next(&self) -> Option<News> {
        let mut pending = lock(&self.pending, self.process)?;
        let news = pending.news.pop_front();
        if news.is_none() {
            pending.told_in = None;
        }
        news
    }
}
