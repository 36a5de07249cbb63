//! What both are asked.

/// One row of the table.
pub(crate) struct Request {
    /// What is asked, for the reader.
    pub(crate) asks: &'static str,
    pub(crate) method: &'static str,
    pub(crate) query: &'static str,
    /// Whether the answer may be packed.
    pub(crate) gzip: bool,
    pub(crate) theirs: Theirs,
    /// Whether exporter_exporter answers 500 or 504 as it falls: two of its timers end at once.
    pub(crate) races: bool,
    /// The field of the answer that the row is about.
    pub(crate) shows: Option<&'static str>,
    /// What the program answers.
    pub(crate) status: u16,
    /// Why the other one does not answer the same.
    pub(crate) why: &'static str,
}

/// The configuration with which exporter_exporter can answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theirs {
    /// Modules of method http and exec.
    Plain,
    /// Modules of method file.
    Files,
    /// A default.
    Default,
}

const fn get(asks: &'static str, query: &'static str, status: u16, why: &'static str) -> Request {
    Request {
        asks,
        method: "GET",
        query,
        gzip: false,
        theirs: Theirs::Plain,
        races: false,
        shows: None,
        status,
        why,
    }
}

const fn head(asks: &'static str, query: &'static str, status: u16, why: &'static str) -> Request {
    Request { method: "HEAD", ..get(asks, query, status, why) }
}

const fn file(asks: &'static str, query: &'static str, status: u16, why: &'static str) -> Request {
    Request { theirs: Theirs::Files, ..get(asks, query, status, why) }
}

const fn shows(field: &'static str, request: Request) -> Request {
    Request { shows: Some(field), ..request }
}

/// 502 rather than 500.
const GATEWAY: &str = "a gateway's fault has a gateway's status, and the answer says what is wrong";

/// What exporter_exporter needs to read files.
const FILES: &str = "method `file` came with 0.5.0";

/// The table of requests.
pub(crate) const REQUESTS: &[Request] = &[
    get("a good page", "?module=good", 200, ""),
    get(
        "parameters, a second `module` among them",
        "?module=blackbox&module=http_2xx&target=x",
        200,
        "",
    ),
    get("the exporter answers 404", "?module=missing", 404, ""),
    get("the exporter answers 500", "?module=broken", 500, ""),
    get("the exporter refuses the connection", "?module=refused", 502, ""),
    get("the exporter is too slow", "?module=slow", 504, ""),
    get("a malformed page", "?module=malformed", 502, GATEWAY),
    get("a malformed page, `verify: false`", "?module=unchecked", 200, ""),
    get("a web page", "?module=html", 502, GATEWAY),
    shows("content-encoding", get("gzip not asked for", "?module=gzip", 200, "")),
    shows(
        "content-encoding",
        Request { gzip: true, ..get("gzip asked for", "?module=gzip", 200, "") },
    ),
    shows(
        "content-type",
        get(
            "a good page without a Content-Type",
            "?module=untyped",
            200,
            "it is called what it was read as",
        ),
    ),
    shows(
        "content-type",
        get(
            "a good page that is called `text/html`",
            "?module=mistyped",
            200,
            "Prometheus 3 refuses a page of a type that it does not know",
        ),
    ),
    get("an unknown module", "?module=god", 404, ""),
    get("no module, no default", "", 400, ""),
    Request {
        theirs: Theirs::Default,
        ..get(
            "no module, a default of method http",
            "",
            200,
            "`defaultModule` came with 0.5.0, and breaks the connection off there",
        )
    },
    get("a command", "?module=script", 200, "the output passes as it is"),
    get("a command that fails", "?module=failing", 502, GATEWAY),
    Request {
        races: true,
        ..get("a command that is too slow", "?module=lingering", 504, "always the same")
    },
    get(
        "a command, `args` in the request",
        "?module=script&args=x",
        400,
        "whoever reaches the port would choose what it does; `allow_args: true` lets them",
    ),
    get("a command with malformed output", "?module=babbling", 502, GATEWAY),
    file("a file", "?module=cron", 200, FILES),
    file("a file that is not there", "?module=gone", 502, FILES),
    file("a malformed file", "?module=bad", 502, FILES),
    head("HEAD of a good page", "?module=good", 200, ""),
    head(
        "HEAD of a malformed page",
        "?module=malformed",
        502,
        "HEAD answers what GET would; the exporter is asked by GET",
    ),
    head("HEAD of a command", "?module=script", 200, ""),
    head("HEAD of an unknown module", "?module=god", 404, ""),
    Request {
        method: "POST",
        ..get("POST", "?module=good", 405, "a scrape is a GET; nothing else reaches an exporter")
    },
];
