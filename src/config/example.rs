//! The file that `fanin init` prints: what fanin does without a file, ready to be edited.

use std::fmt::{self, Write};

use super::plan::{Found, Plan};

/// Opens the file.
const HEAD: &str = "\
# fanin's configuration. `fanin check FILE` says whether it is right and starts nothing;
# SIGHUP, or POST /-/reload from this machine, takes a change over.
#
# Durations are 500ms, 4s, 10m or 1h; sizes 16KiB or 8MiB. Any value may be \"${NAME}\", from the
# environment. Paths start at this file's folder.

";

/// Explains what else a route may say.
const ROUTE: &str = "      # The same, with all that may be said. `all` is every source below, `self` is fanin itself.
      # /all:
      #   merge:
      #     sources: [self, all]
      #     label: exporter_name    # tells each sample's source; none: no label
      #     on_conflict: rename     # the sample has it already: rename, override or keep
      #     strict: false           # true: a source that fails makes it a 503
    # status: true                  # the page at /

";

/// Explains what else a source may say.
const SOURCE: &str = "  # printer:
  #   http:
  #     url: \"unix:///run/exporter.sock:/metrics\"
  #     auth: {bearer_token_file: token}    # or basic: {user: me, password_file: password}
  #     headers: {X-Site: home}
  #     redirects: same             # to the same host and port; any; none
  #   timeout: 2s                   # never longer than the scraper waits
  #   cache: 5s                     # one fetch for all who ask within this time
  #   labels: {room: cellar}

";

/// Closes the file: the limits, all at their defaults.
const LIMITS: &str = "\
# limits:
#   memory: 16MiB                   # for pages; the program itself takes some 3 MiB more
#   body: 8MiB                      # one page; at most half of memory
#   kept: 8MiB                      # pages that are kept, such as cached ones
#   families: 8192                  # of one page
#   connections: 64
#   header_timeout: 5s
#   idle_timeout: 75s
#   body_timeout: 30s
#   write_timeout: 30s
#   scrape_timeout: 10s             # where the scraper states none
";

/// A commented configuration for `found`: it loads to [`Plan::default_for`] these.
#[must_use]
pub fn example(found: &[Found]) -> String {
    let mut out = String::from(HEAD);
    #[expect(clippy::expect_used, reason = "a String takes everything")]
    render(found, &mut out).expect("a String takes everything");
    out
}

fn render(found: &[Found], out: &mut String) -> fmt::Result {
    let listen = Plan::loopback();
    writeln!(out, "servers:\n  - listen: [{}]\n    routes:", Json(&listen.to_string()))?;
    write!(out, "      /metrics: {{merge: [self")?;
    for found in found {
        write!(out, ", {}", Json(&found.name))?;
    }
    writeln!(out, "]}}")?;
    out.write_str(ROUTE)?;
    writeln!(out, "sources:")?;
    for Found { name, url } in found {
        writeln!(out, "  {}: {{http: {{url: {}}}}}", Json(name), Json(url))?;
    }
    out.write_str(SOURCE)?;
    out.write_str(LIMITS)
}

/// Prints text so that YAML reads it as that text: plain where that is safe, else quoted.
struct Json<'a>(&'a str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.bytes().all(|b| b.is_ascii_alphabetic()) {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse;
    use super::*;

    fn found(name: &str, url: &str) -> Found {
        Found { name: name.to_owned(), url: url.to_owned() }
    }

    #[test]
    fn the_example_is_what_runs_without_a_file() {
        let two = [
            found("node", "http://127.0.0.1:9100/metrics"),
            found("2.x-y", "http://[::1]:9090/metrics"),
        ];
        for found in [&two[..], &two[..1], &[]] {
            let text = example(found);
            let plan = parse(&text, Path::new("fanin.yaml"), &|_| None)
                .unwrap_or_else(|error| panic!("{error:#}\n{text}"));
            assert_eq!(plan, Plan::default_for(found, &[]), "{text}");
        }
    }

    #[test]
    fn what_is_commented_out_loads_too() {
        let text = example(&[]);
        let (head, rest) = text.split_once("servers:").unwrap();
        let rest: String = rest
            .lines()
            .filter(|line| !line.contains("# The same"))
            .map(|line| format!("{}\n", line.replacen("# ", "", 1)))
            .collect();
        let text = format!("{head}servers:{rest}").replace("bearer_token_file", "bearer_token");
        let plan = parse(&text, Path::new("fanin.yaml"), &|_| None)
            .unwrap_or_else(|error| panic!("{error:#}\n{text}"));
        let default = Plan::default_for(&[], &[]);
        assert_eq!(plan.limits, default.limits);
        assert_eq!((plan.servers[0].routes.len(), plan.sources.len()), (2, 1), "{text}");
    }
}
