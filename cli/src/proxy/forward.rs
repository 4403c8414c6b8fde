//! [`Proxy`]: one request after the other: its head is looked at, it waits for its turn, it goes on, and its answer comes back.

use std::collections::HashSet;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apiqueue::{Route, Turn};
use http::request::Parts;
use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::time::timeout_at;

use super::body::{Broken, Download, Opener, Upload, from_now};
use super::head::{Refusal, Target, Terms, Way};
use super::key::aws::{self, Scope};
use super::key::{Key, Tables};
use super::own;
use super::peer::Peer;
use super::told::Told;
use super::tunnel;
use super::upstream::{self, Upstream};
use super::wait;

/// So much of a form is looked through for its operation, in bytes. AWS's SDKs put it first.
const LOOKED_THROUGH: usize = 8 << 10;
/// So many hosts are told of that are reached through tunnels.
const TOLD: usize = 1_000;

/// What all connections share.
pub(super) struct Proxy {
    pub(super) terms: Terms,
    pub(super) tables: Tables,
    pub(super) route: Route<String>,
    pub(super) upstream: Upstream,
    /// The longest wait for a turn.
    pub(super) max_wait: Duration,
    /// How long a client's body may stand still.
    pub(super) body_timeout: Duration,
    /// Hosts of which was told that their requests are not seen.
    pub(super) tunnels: Mutex<HashSet<String>>,
}

/// What becomes of a request that is not forwarded.
type Instead = Box<Response<Download>>;

impl Proxy {
    /// The answer to a request, whatever it is.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: &Peer,
    ) -> Response<Download> {
        match self.try_answer(request, peer).await {
            Ok(answer) => answer,
            Err(instead) => *instead,
        }
    }

    async fn try_answer(
        &self,
        mut request: Request<Incoming>,
        peer: &Peer,
    ) -> Result<Response<Download>, Instead> {
        let on_upgrade = hyper::upgrade::on(&mut request);
        let (mut parts, body) = request.into_parts();
        match self.terms.request(&mut parts).map_err(refused)? {
            Way::Tunnel(target) => self.tunnel(&target, on_upgrade, peer).await,
            Way::Forward {
                target,
                may_upgrade,
            } => {
                let mut upload = Upload::new(body, self.body_timeout);
                let (key, is_of_aws) = match self.tables.key(&parts, &target) {
                    Key::Of(key) => (key, false),
                    Key::Aws(key) => (key, true),
                    Key::InForm(scope) => {
                        (self.key_in_form(&scope, &parts, &mut upload).await?, true)
                    }
                };
                let turn = match upload.is_read() {
                    true => self.turn(&key).await?,
                    false => tokio::select! {
                        turn = self.turn(&key) => turn?,
                        () = peer.gone() => return Err(nobody()),
                    },
                };
                let upgrade = may_upgrade.then_some(on_upgrade);
                self.forward(parts, upload, &target, turn, is_of_aws, upgrade)
                    .await
            }
        }
    }

    /// The key of a request whose operation is in its body: as much of that is read as it takes.
    async fn key_in_form(
        &self,
        scope: &Scope,
        parts: &Parts,
        upload: &mut Upload,
    ) -> Result<String, Instead> {
        let method = || scope.key(parts.method.as_str());
        // To read it would say that it is wanted, which is the origin's to say.
        if parts.headers.contains_key(header::EXPECT) {
            return Ok(method());
        }
        let end = from_now(self.body_timeout);
        let mut is_whole = false;
        loop {
            let read = upload.looked_at();
            match aws::of_form(&read, is_whole) {
                Ok(Some(operation)) => return Ok(scope.key(&operation)),
                Ok(None) => return Ok(method()),
                Err(aws::NotYet) if read.len() > LOOKED_THROUGH => return Ok(method()),
                Err(aws::NotYet) => {}
            }
            let more = timeout_at(end, upload.look()).await;
            let more = more.unwrap_or(Err(Broken::Still(self.body_timeout)));
            is_whole = !more.map_err(|why| {
                refused(Refusal::of(
                    StatusCode::REQUEST_TIMEOUT,
                    Some("http_request_error"),
                    why.to_string(),
                ))
            })?;
        }
    }

    async fn turn(&self, key: &String) -> Result<Option<Turn<'static>>, Instead> {
        let queue = self.route.queue(key).map_err(|why| {
            refused(Refusal::of(
                StatusCode::INTERNAL_SERVER_ERROR,
                Some("proxy_internal_error"),
                format!("the limit of {key} can't be: {why}"),
            ))
        })?;
        let Some(queue) = queue else {
            return Ok(None);
        };
        let turn = wait::turn(&queue, self.max_wait).await;
        turn.map(Some)
            .map_err(|why| Box::new(own::no_turn(key, &why, self.max_wait)))
    }

    async fn forward(
        &self,
        mut parts: Parts,
        mut upload: Upload,
        target: &Target,
        turn: Option<Turn<'static>>,
        is_of_aws: bool,
        upgrade: Option<OnUpgrade>,
    ) -> Result<Response<Download>, Instead> {
        // What this side's connection keeps there is not the next one's.
        parts.extensions = http::Extensions::new();
        let opener = parts
            .headers
            .contains_key(header::EXPECT)
            .then(|| upload.gated());
        let mut request = Request::from_parts(parts, upload);
        if let Some(opener) = opener.clone() {
            hyper::ext::on_informational(&mut request, move |answer| {
                if answer.status() == StatusCode::CONTINUE {
                    opener.open();
                }
            });
        }
        let answer = match self.upstream.request(request).await {
            Ok(answer) => answer,
            Err(why) => {
                if let Some(turn) = turn.filter(|_| why.is_connect()) {
                    // Nothing was called.
                    turn.give_back();
                }
                return Err(refused(upstream::failure(&why, &target.host)));
            }
        };
        self.back(answer, turn, is_of_aws, upgrade, opener)
    }

    /// Makes the origin's answer the client's.
    fn back(
        &self,
        mut answer: Response<Incoming>,
        turn: Option<Turn<'static>>,
        is_of_aws: bool,
        upgrade: Option<OnUpgrade>,
        opener: Option<Opener>,
    ) -> Result<Response<Download>, Instead> {
        let switches = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        let origin = switches.then(|| hyper::upgrade::on(&mut answer));
        let (mut parts, body) = answer.into_parts();
        let told = turn.map(|turn| (turn, parts.headers.clone()));
        self.terms
            .response(&mut parts, upgrade.is_some())
            .map_err(refused)?;
        if let (Some(origin), Some(client)) = (origin, upgrade) {
            tunnel::switched(client, origin, told.map(|(turn, _)| turn));
            return Ok(Response::from_parts(parts, Download::Own(None)));
        }
        let told = told.and_then(|(turn, headers)| {
            Told::of(&self.route, turn, parts.status, &headers, is_of_aws)
        });
        Ok(Response::from_parts(
            parts,
            Download::Passed { body, told, opener },
        ))
    }

    async fn tunnel(
        &self,
        target: &Target,
        client: OnUpgrade,
        peer: &Peer,
    ) -> Result<Response<Download>, Instead> {
        let key = self.tables.key_of_connection(target);
        self.tell_of_tunnel(&key);
        // The first bytes of what goes inside may be there already, which hides from hyper that the client has gone.
        let (turn, origin) = tokio::select! {
            opened = async {
                let turn = self.turn(&key).await?;
                let origin = tunnel::connect(target).await.map_err(refused)?;
                Ok::<_, Instead>((turn, origin))
            } => opened?,
            () = peer.gone() => return Err(nobody()),
        };
        tunnel::between(client, origin, turn);
        Ok(tunnel::opened())
    }

    fn tell_of_tunnel(&self, key: &str) {
        let is_new = self.tunnels.lock().is_ok_and(|mut told| {
            told.len() < TOLD && !told.contains(key) && told.insert(key.to_owned())
        });
        if is_new {
            // Where standard error is closed, nobody can be told.
            let _ = writeln!(
                std::io::stderr(),
                "apiqueue: {key} is paced by connection, as its requests are inside TLS"
            );
        }
    }
}

fn refused(why: Refusal) -> Instead {
    Box::new(own::refused(&why))
}

/// For a client that is gone.
fn nobody() -> Instead {
    refused(Refusal::bad("the client has gone"))
}

/// A proxy for all tasks.
pub(super) type Shared = Arc<Proxy>;
