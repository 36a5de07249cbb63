//! The page at `/`: what this server has, for a person who found the port.

use std::fmt::Write;
use std::time::Duration;

use super::{Body, Reply, Server};
use crate::source::Engine;

/// Looks like the landing pages of other exporters, and needs no script.
const STYLE: &str = ":root{color-scheme:light dark}\
    body{font-family:system-ui,sans-serif;margin:2rem auto;max-width:50rem;\
    padding:0 1rem;line-height:1.5}h1{color:#e6522c}.wide{overflow-x:auto}\
    table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .8rem .2rem 0;\
    border-bottom:1px solid #8884}\
    td:nth-child(n+3),th:nth-child(n+3){text-align:right;white-space:nowrap}.down{color:#d33}";

/// The page.
pub(super) fn page(server: &Server, engine: &Engine) -> Reply<Body> {
    let mut html = String::with_capacity(4096);
    // Writing to a string does not fail.
    let _ = write(server, engine, &mut html);
    let mut reply = Reply::new(200, "text/html; charset=utf-8", Body::text(html));
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    let _ = reply.set("Content-Security-Policy", policy);
    reply
}

fn write(server: &Server, engine: &Engine, out: &mut String) -> std::fmt::Result {
    let version = env!("CARGO_PKG_VERSION");
    write!(
        out,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>fanin</title>\
         <style>{STYLE}</style><h1>fanin</h1>\
         <p>Version {version}, up {}. Merges Prometheus metrics.</p><h2>Pages</h2><ul>",
        Ago(engine.metrics.uptime()),
    )?;
    let routes = server.routes.iter().map(|route| &*route.name);
    let own = !routes.clone().any(|path| path == "/metrics");
    for path in routes.chain(own.then_some("/metrics")) {
        write!(out, "<li><a href=\"{0}\">{0}</a></li>", Html(path))?;
    }
    out.push_str(
        "</ul><p>Health: <a href=\"/-/healthy\">/-/healthy</a>, <a href=\"/-/ready\">/-/ready</a>.\
         </p><h2>Sources</h2>",
    );
    if server.sources.is_empty() {
        out.push_str("<p>None: the pages above tell of fanin itself.</p>");
        return Ok(());
    }
    out.push_str(
        "<div class=\"wide\"><table><tr><th>Source<th>State<th>Scraped<th>Took<th>Samples<th>Bytes",
    );
    for source in &server.sources {
        write!(out, "<tr><td>{}", Html(source.name()))?;
        let Some(scrape) = source.stats().last() else {
            out.push_str("<td>not scraped yet<td><td><td><td>");
            continue;
        };
        let state = scrape.failure.unwrap_or("up");
        let class = if scrape.failure.is_some() { "down" } else { "up" };
        let ago = Ago(scrape.at.elapsed());
        let millis = scrape.took.as_millis();
        write!(out, "<td class=\"{class}\">{state}<td>{ago} ago<td>{millis} ms")?;
        write!(out, "<td>{:?}<td>{}", scrape.samples, scrape.bytes)?;
    }
    out.push_str("</table></div>");
    Ok(())
}

/// Text that is no markup.
struct Html<'a>(&'a str);

impl std::fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A time as a person says it: the two largest units.
struct Ago(Duration);

impl std::fmt::Display for Ago {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
        let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{rest} s"),
            (0, 0, _) => write!(f, "{minutes} min {rest} s"),
            (0, _, _) => write!(f, "{hours} h {minutes} min"),
            _ => write!(f, "{days} d {hours} h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_two_units_long() {
        for (seconds, want) in
            [(0, "0 s"), (61, "1 min 1 s"), (7260, "2 h 1 min"), (90_061, "1 d 1 h")]
        {
            assert_eq!(Ago(Duration::from_secs(seconds)).to_string(), want);
        }
    }

    #[test]
    fn names_are_no_markup() {
        assert_eq!(Html("<a href=\"&\">").to_string(), "&lt;a href=&quot;&amp;&quot;&gt;");
    }
}
