//! A configuration in the making. The shape of the file is known here and nowhere else in the
//! tests but where a test is about that shape.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use super::daemon::Daemon;
use super::exporter::Exporter;
use super::folder::Folder;

/// Where the program under test is: what cargo has built for the tests or, with `FANIN_PROGRAM`,
/// another one, such as that of a board under emulation.
pub static PROGRAM: LazyLock<String> = LazyLock::new(|| {
    env::var("FANIN_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_fanin").to_owned())
});

/// One server, its routes, the sources and the limits.
pub struct Setup {
    folder: Folder,
    listen: Vec<String>,
    routes: String,
    sources: String,
    limits: Vec<String>,
    server_keys: String,
    top_keys: String,
    pipes: String,
    descriptors: Option<u32>,
    arguments: Vec<String>,
    doors: usize,
}

impl Setup {
    /// One server on a free port of 127.0.0.1, with no routes and no sources.
    pub fn new() -> Self {
        Self {
            folder: Folder::new(),
            listen: vec!["tcp://127.0.0.1:0".to_owned()],
            routes: String::new(),
            sources: String::new(),
            limits: Vec::new(),
            server_keys: String::new(),
            top_keys: String::new(),
            pipes: String::new(),
            descriptors: None,
            arguments: Vec::new(),
            doors: 0,
        }
    }

    /// The commonest: `/merged` merges these exporters, named `a`, `b`, `c` … as they come. Own
    /// metrics stay at `/metrics`.
    pub fn merging(exporters: &[&Exporter]) -> Self {
        let mut setup = Self::new();
        let names: Vec<String> = ('a'..='z').take(exporters.len()).map(String::from).collect();
        for (name, exporter) in names.iter().zip(exporters) {
            setup = setup.source(name, exporter);
        }
        setup.route("/merged", &format!("{{merge: [{}]}}", names.join(", ")))
    }

    /// The folder that the file and its sockets will be in.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// An http source that reaches `exporter`.
    #[must_use]
    pub fn source(self, name: &str, exporter: &Exporter) -> Self {
        self.source_with(name, exporter, "")
    }

    /// [`Setup::source`] with further keys beside the kind, such as `timeout: 1s`.
    #[must_use]
    pub fn source_with(self, name: &str, exporter: &Exporter, keys: &str) -> Self {
        self.source_at(name, &exporter.url(), "", keys)
    }

    /// An http source by URL, with further keys inside the kind and beside it.
    #[must_use]
    pub fn source_at(mut self, name: &str, url: &str, inside: &str, beside: &str) -> Self {
        let comma = |keys: &str| if keys.is_empty() { String::new() } else { format!(", {keys}") };
        self.sources.push_str(&format!(
            "  {name}: {{http: {{url: \"{url}\"{}}}{}}}\n",
            comma(inside),
            comma(beside)
        ));
        self
    }

    /// A source of any kind, such as `{file: {path: x}}`.
    #[must_use]
    pub fn source_of(mut self, name: &str, source: &str) -> Self {
        self.sources.push_str(&format!("  {name}: {source}\n"));
        self
    }

    /// A route and what it does, such as `{merge: [a, b]}`.
    #[must_use]
    pub fn route(mut self, path: &str, outlet: &str) -> Self {
        self.routes.push_str(&format!("      {path}: {outlet}\n"));
        self
    }

    /// A source that applications push to, at these addresses, such as `"tcp://127.0.0.1:0"`, with
    /// further keys inside the kind and beside it. The program says where it listens in that order,
    /// behind the server's addresses.
    #[must_use]
    pub fn pushed(mut self, name: &str, listen: &[&str], inside: &str, beside: &str) -> Self {
        self.doors += listen.len();
        let comma = |keys: &str| if keys.is_empty() { String::new() } else { format!(", {keys}") };
        let push = format!("{{listen: [{}]{}}}", listen.join(", "), comma(inside));
        self.source_of(name, &format!("{{push: {push}{}}}", comma(beside)))
    }

    /// One of `limits`, such as `body: 64KiB`; a second one of the same name takes its place.
    #[must_use]
    pub fn limit(mut self, limit: &str) -> Self {
        let key = |limit: &str| limit.split(':').next().map(str::to_owned);
        self.limits.retain(|old| key(old) != key(limit));
        self.limits.push(limit.to_owned());
        self
    }

    /// A further address to listen on.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        self.listen.push(address.to_owned());
        self
    }

    /// A further key of the server.
    #[must_use]
    pub fn server_key(mut self, line: &str) -> Self {
        self.server_keys.push_str(&format!("    {line}\n"));
        self
    }

    /// A further key beside `servers`.
    #[must_use]
    pub fn top_key(mut self, line: &str) -> Self {
        self.top_keys.push_str(&format!("{line}\n"));
        self
    }

    /// A pipe, such as `from: node, to: "http://…", every: 1s`.
    #[must_use]
    pub fn pipe(mut self, keys: &str) -> Self {
        self.pipes.push_str(&format!("  - {{{keys}}}\n"));
        self
    }

    /// The most file descriptors that the program may have open.
    #[must_use]
    pub fn descriptors(mut self, most: u32) -> Self {
        self.descriptors = Some(most);
        self
    }

    /// A further argument of `fanin serve`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// The file as it will be written.
    pub fn yaml(&self) -> String {
        let listen: Vec<String> = self.listen.iter().map(|at| format!("\"{at}\"")).collect();
        let mut text = format!("servers:\n  - listen: [{}]\n", listen.join(", "));
        if super::OVER_TLS {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/tls");
            text.push_str(&format!(
                "    tls: {{cert: {folder}/cert.pem, key: {folder}/key.pem}}\n"
            ));
        }
        text.push_str(&self.server_keys);
        if !self.routes.is_empty() {
            text.push_str(&format!("    routes:\n{}", self.routes));
        }
        if !self.sources.is_empty() {
            text.push_str(&format!("sources:\n{}", self.sources));
        }
        if !self.limits.is_empty() {
            text.push_str(&format!("limits: {{{}}}\n", self.limits.join(", ")));
        }
        if !self.pipes.is_empty() {
            text.push_str(&format!("pipes:\n{}", self.pipes));
        }
        text.push_str(&self.top_keys);
        text
    }

    /// Writes the file and starts `fanin serve` with it; returns when it listens everywhere.
    pub fn start(self) -> Daemon {
        let file = self.folder.write("fanin.yaml", &self.yaml());
        let listeners = self.listen.len() + self.doors;
        let mut command = self.command();
        command.args(["serve", "--config", &file]).args(&self.arguments);
        Daemon::spawn(command, self.folder, listeners)
    }

    /// `fanin` in its surroundings, without arguments.
    pub fn command(&self) -> Command {
        let mut command = match self.descriptors {
            None => Command::new(PROGRAM.as_str()),
            Some(most) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {most}; exec \"$0\" \"$@\""), &PROGRAM]);
                shell
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // A Ctrl-C at the terminal is for the test, which then ends the program itself.
        command.process_group(0).env_remove("JOURNAL_STREAM").env_remove("NOTIFY_SOCKET");
        command
    }
}
