//! [`Cluster`]: three primaries, and a replica of each.

use std::thread::sleep;
use std::time::{Duration, Instant};

use redis::Value;

use crate::server::Server;

pub(crate) struct Cluster {
    /// The primaries and then, in the same order, their replicas.
    pub(crate) nodes: Vec<Server>,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Cluster {
    pub(crate) fn start() -> Self {
        let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
        let cluster = Self {
            nodes: (0..6).map(|_| Server::start_with(&options)).collect(),
        };
        for (number, slots) in ["0 5460", "5461 10922", "10923 16383"].iter().enumerate() {
            let node = &cluster.nodes[number];
            node.tell(&format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1));
            node.tell(&format!("CLUSTER ADDSLOTSRANGE {slots}"));
        }
        for node in &cluster.nodes[1..] {
            node.tell(&format!("CLUSTER MEET 127.0.0.1 {}", cluster.nodes[0].port));
        }
        for number in 0..3 {
            let id = text(cluster.nodes[number].tell("CLUSTER MYID"));
            let replica = &cluster.nodes[number + 3];
            // It has to know the node first.
            cluster.wait(|_| replica.try_tell(&format!("CLUSTER REPLICATE {id}")).is_ok());
        }
        cluster.wait(|cluster| cluster.nodes.iter().all(Server::is_whole));
        for replica in &cluster.nodes[3..] {
            cluster
                .wait(|_| text(replica.tell("INFO replication")).contains("master_link_status:up"));
        }
        cluster
    }

    pub(crate) fn url(&self) -> String {
        let nodes: Vec<_> = self.nodes[..2]
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port))
            .collect();
        format!("redis-cluster://{}", nodes.join(","))
    }

    /// Has a replica take its primary's place, as an operator does.
    pub(crate) fn fail_over(&self, number: usize) {
        let replica = &self.nodes[number + 3];
        // A server gives it up after 5 s, on a busy machine too.
        let again = Duration::from_secs(6);
        let mut due = Instant::now();
        self.wait(|_| {
            if text(replica.tell("INFO replication")).contains("role:master") {
                return true;
            }
            if Instant::now() >= due {
                due = Instant::now() + again;
                replica.tell("CLUSTER FAILOVER");
            }
            false
        });
    }

    /// Which of the three has the keys of a limit.
    pub(crate) fn owner(&self, limit: &str) -> usize {
        let Value::Int(slot) = self.nodes[0].tell(&format!("CLUSTER KEYSLOT {limit}")) else {
            panic!("not a slot");
        };
        match slot {
            ..=5460 => 0,
            5461..=10922 => 1,
            _ => 2,
        }
    }

    fn wait(&self, mut done: impl FnMut(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < until, "the cluster does not come to be");
            sleep(Duration::from_millis(50));
        }
    }
}

impl Server {
    /// A cluster of one node.
    pub(crate) fn cluster_of_one(more: &[&str]) -> Self {
        let node = Self::start_with(&[&["--cluster-enabled", "yes"], more].concat());
        node.tell("CLUSTER ADDSLOTSRANGE 0 16383");
        node
    }

    /// Whether it sees a cluster in which each slot has a primary, and six nodes.
    fn is_whole(&self) -> bool {
        let info = text(self.tell("CLUSTER INFO"));
        info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:6")
    }
}

fn text(value: Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).unwrap(),
        Value::VerbatimString { text, .. } => text,
        other => panic!("not a text: {other:?}"),
    }
}
