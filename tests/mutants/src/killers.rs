//! The tests that may notice a mutant: how they are built, and how one run of them ends.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// One run of a test binary.
#[derive(Clone, Debug)]
pub struct Killer {
    pub name: String,
    binary: PathBuf,
    directory: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// How long it took without a mutant.
    pub took: Duration,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Passed,
    /// A test failed: which.
    Failed(String),
    TooLong,
    Crashed,
}

/// No run is given up before that.
const LEAST: Duration = Duration::from_secs(10);
/// Files that a failing test writes a case to, for later runs to begin with: none is to learn from another.
const LEARNT: &str = "tests/tests/model.regressions";

/// Builds the tests that `arguments` of `cargo test --no-run` name, and lists their binaries with their packages' directories.
pub fn build(
    tree: &Path,
    target: &Path,
    flags: &str,
    arguments: &[&str],
) -> io::Result<Vec<(String, PathBuf)>> {
    let output = Command::new("cargo")
        .args(["test", "--release", "--no-run", "--message-format=json"])
        .args(arguments)
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", target)
        .env(
            "RUSTFLAGS",
            format!("--cap-lints=allow -Coverflow-checks=off {flags}"),
        )
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            if let Some(text) =
                field(line, "rendered").filter(|_| line.contains("\"level\":\"error\""))
            {
                eprintln!("{}", text.replace("\\n", "\n").replace("\\\"", "\""));
            }
        }
        return Err(io::Error::other("the tests do not build"));
    }
    let found = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let binary = PathBuf::from(field(line, "executable")?);
            // Not the programs that tests may start.
            binary.parent()?.ends_with("deps").then_some(())?;
            let stem = binary.file_stem()?.to_str()?.rsplit_once('-')?.0.to_owned();
            Some((stem, binary))
        })
        .collect();
    Ok(found)
}

/// The text of a field of a line of JSON.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let start = line.find(&format!("\"{name}\":\""))? + name.len() + 4;
    let rest = line.get(start..)?;
    let mut escaped = false;
    let end = rest.find(|at: char| {
        let is_end = at == '"' && !escaped;
        escaped = at == '\\' && !escaped;
        is_end
    })?;
    rest.get(..end)
}

impl Killer {
    pub fn new(name: &str, binary: &Path, directory: &Path) -> Self {
        Self {
            name: name.to_owned(),
            binary: binary.to_owned(),
            directory: directory.to_owned(),
            arguments: vec!["--test-threads=1".to_owned()],
            environment: vec![
                ("PROPTEST_RNG_SEED".to_owned(), "1".to_owned()),
                ("PROPTEST_MAX_SHRINK_ITERS".to_owned(), "0".to_owned()),
                (
                    "PROPTEST_DISABLE_FAILURE_PERSISTENCE".to_owned(),
                    "1".to_owned(),
                ),
                ("RUST_BACKTRACE".to_owned(), "0".to_owned()),
            ],
            took: Duration::ZERO,
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Only these tests of it, each by its whole name.
    pub fn only(&self, tests: &[String]) -> Self {
        let mut killer = self.clone();
        killer.arguments.push("--exact".to_owned());
        killer.arguments.extend_from_slice(tests);
        killer
    }

    /// The names of its tests.
    pub fn tests(&self) -> io::Result<Vec<String>> {
        let output = Command::new(&self.binary).arg("--list").output()?;
        let names = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| Some(line.strip_suffix(": test")?.to_owned()))
            .collect();
        Ok(names)
    }

    /// Runs it without a mutant, and remembers how long that takes; at most `limit`.
    pub fn measure(&mut self, limit: Duration) -> io::Result<End> {
        let start = Instant::now();
        let end = self.run_for(0, limit, limit)?;
        self.took = start.elapsed();
        Ok(end)
    }

    pub fn run(&self, mutant: usize) -> io::Result<End> {
        self.run_for(mutant, (self.took * 5).max(LEAST), self.took * 5)
    }

    /// Once more, with three times the time.
    pub fn run_again(&self, mutant: usize) -> io::Result<End> {
        self.run_for(mutant, (self.took * 15).max(LEAST * 3), self.took * 15)
    }

    /// Until the first failure. Time is limited twice: what it may take, and what of that on a processor, so that an endless loop
    /// is soon over while a run that others slow down is not.
    fn run_for(&self, mutant: usize, limit: Duration, on_processor: Duration) -> io::Result<End> {
        let seconds = on_processor.as_secs() + 1;
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(format!(
                "ulimit -t {seconds}; ulimit -v 8000000; ulimit -c 0; exec \"$0\" \"$@\""
            ))
            .arg(&self.binary)
            .args(&self.arguments)
            .current_dir(&self.directory)
            .envs(self.environment.iter().cloned())
            .env("MUTANT", mutant.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        let mut child = command.spawn()?;
        let (send, lines) = mpsc::channel();
        let stdout = child.stdout.take();
        let reader = std::thread::spawn(move || {
            let lines = stdout
                .into_iter()
                .flat_map(|stdout| BufReader::new(stdout).lines());
            for line in lines.map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let deadline = Instant::now() + limit;
        let mut last = String::new();
        let early = loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(name) = failed(&line) {
                        break Some(End::Failed(name));
                    }
                    if line.starts_with("test ") {
                        last = line;
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => break Some(End::TooLong),
                Err(mpsc::RecvTimeoutError::Disconnected) => break None,
            }
        };
        if early.is_some() {
            child.kill()?;
        }
        let status = child.wait()?;
        drop(lines);
        let _ = reader.join();
        Ok(match early {
            Some(end) => end,
            None if status.success() => End::Passed,
            None if std::os::unix::process::ExitStatusExt::signal(&status)
                .is_some_and(|signal| signal == 24 || signal == 9) =>
            {
                End::TooLong
            }
            None if last.ends_with("FAILED") => End::Failed(last),
            None => End::Crashed,
        })
    }
}

/// The test that a line says has failed.
fn failed(line: &str) -> Option<String> {
    let name = line.strip_prefix("test ")?;
    let (name, end) = name.split_once(" ... ")?;
    end.contains("FAILED").then(|| name.to_owned())
}

/// Puts back what a failing test has left for later runs.
pub struct Unlearnt {
    path: PathBuf,
    text: Vec<u8>,
}

impl Unlearnt {
    pub fn new(tree: &Path) -> Self {
        let path = tree.join(LEARNT);
        let text = fs::read(&path).unwrap_or_default();
        Self { path, text }
    }

    pub fn restore(&self) -> io::Result<()> {
        if fs::read(&self.path).unwrap_or_default() != self.text {
            fs::write(&self.path, &self.text)?;
        }
        Ok(())
    }
}
