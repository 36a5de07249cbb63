//! Requests written, answers judged.

use super::*;
use crate::limits::INTERIM_RESPONSES;

fn head(text: &str) -> ReplyHead<'_> {
    ReplyHead::parse(text.as_bytes()).unwrap()
}

fn url(text: &str) -> Target {
    Target::parse(text).unwrap()
}

#[test]
fn a_request_is_written_whole_or_not() {
    let target = url("http://pi:9100/probe?a=b");
    let request = Outgoing {
        query: "module=x",
        fields: &[("X-Scope", "home")],
        authorization: Some("Bearer t"),
        timeout: Some(Duration::from_millis(2050)),
        ..Outgoing::get(&target)
    };
    let want = concat!(
        "GET /probe?a=b&module=x HTTP/1.1\r\nHost: pi:9100\r\nUser-Agent: fanin/",
        env!("CARGO_PKG_VERSION"),
        "\r\nAccept: text/plain;version=0.0.4;q=1,*/*;q=0.1\r\nAccept-Encoding: identity\r\n",
        "X-Prometheus-Scrape-Timeout-Seconds: 2.050\r\nAuthorization: Bearer t\r\n",
        "X-Scope: home\r\n\r\n"
    );
    let mut out = [0; 512];
    let len = request.write(&mut out).unwrap();
    assert_eq!(str::from_utf8(&out[..len]), Ok(want));
    for short in 0..len {
        assert_eq!(request.write(&mut out[..short]), None, "{short}");
    }
}

#[test]
fn no_value_breaks_a_line() {
    let target = url("http://a/");
    let plain = Outgoing::get(&target);
    let cases = [
        ("a field", Outgoing { fields: &[("X", "a\r\nB: c")], ..plain }),
        ("a name", Outgoing { fields: &[("X\n", "a")], ..plain }),
        ("authorization", Outgoing { authorization: Some("a\nb"), ..plain }),
        ("accept", Outgoing { accept: "a\0", ..plain }),
        ("query", Outgoing { query: "a b", ..plain }),
    ];
    for (name, request) in cases {
        assert_eq!(request.write(&mut [0; 512]), None, "{name}");
    }
    // A scraper may put a tab where it may put a blank.
    assert!(Outgoing { accept: "a,\tb", ..plain }.write(&mut [0; 512]).is_some());
}

#[test]
fn a_query_is_put_behind_the_one_there_is() {
    let cases = [
        ("http://a/", "", "/"),
        ("http://a/", "b", "/?b"),
        ("http://a/?", "b", "/?b"),
        ("http://a/?c", "b", "/?c&b"),
    ];
    for (target, query, want) in cases {
        let target = url(target);
        let mut out = [0; 512];
        let len = Outgoing { query, ..Outgoing::get(&target) }.write(&mut out).unwrap();
        let line = format!("GET {want} HTTP/1.1\r\n");
        assert!(out[..len].starts_with(line.as_bytes()), "{target} {query}");
    }
}

#[test]
fn an_answer_ends_where_its_head_says() {
    let cases = [
        (Method::Get, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Framing::Length(3), true),
        (Method::Head, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Framing::None, true),
        (Method::Get, "HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n", Framing::None, true),
        (Method::Get, "HTTP/1.1 304 No\r\n\r\n", Framing::None, true),
        (Method::Get, "HTTP/1.1 200 OK\r\n\r\n", Framing::Close, false),
        (Method::Get, "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", Framing::Length(3), false),
        (
            Method::Get,
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n",
            Framing::Length(3),
            true,
        ),
        (
            Method::Get,
            "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
            Framing::Chunked,
            false,
        ),
    ];
    for (method, text, framing, keep) in cases {
        let head = head(text);
        assert_eq!(reply_framing(method, &head), framing, "{text}");
        assert_eq!(keeps_alive(&head, framing), keep, "{text}");
    }
}

#[test]
fn interim_responses_are_passed_over_but_not_for_ever() {
    let early = head("HTTP/1.1 103 Early Hints\r\n\r\n");
    assert_eq!(is_interim(&early, 0), Ok(true));
    assert_eq!(is_interim(&early, INTERIM_RESPONSES), Err(Fault::Interim));
    assert_eq!(is_interim(&head("HTTP/1.1 101 Switching\r\n\r\n"), 0), Err(Fault::Interim));
    assert_eq!(is_interim(&head("HTTP/1.1 200 OK\r\n\r\n"), INTERIM_RESPONSES), Ok(false));
}

#[test]
fn a_redirect_leads_where_its_location_says() {
    let cases = [
        ("http://a:1/b/c?d", "/e?f", "http://a:1/e?f"),
        ("http://a:1/b/c?d", "e", "http://a:1/b/e"),
        ("http://a:1/b/c?d", "?e", "http://a:1/b/c?e"),
        ("http://a:1/b/c?d", "/e#f", "http://a:1/e"),
        ("http://a:1/b", "http://a:1/x:y", "http://a:1/x:y"),
        ("http://a:1/b", "//a:1/e", "http://a:1/e"),
        ("unix:///run/x:/b", "/c", "unix:///run/x:/c"),
    ];
    for (from, location, want) in cases {
        let target = url(from);
        let text = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n");
        let got = redirect(&Outgoing::get(&target), &head(&text)).unwrap();
        assert_eq!(got.map(|target| target.to_string()).as_deref(), Some(want), "{location}");
    }
}

#[test]
fn a_redirect_elsewhere_is_refused_unless_allowed() {
    let target = url("http://a:1/");
    let asked =
        Outgoing { authorization: Some("s"), fields: &[("X", "s")], ..Outgoing::get(&target) };
    let text = "HTTP/1.1 301 Moved\r\nLocation: http://b/\r\n\r\n";
    let refused = redirect(&asked, &head(text)).unwrap_err();
    assert_eq!(refused.to_string(), "redirect to b:80, which is another place");

    let asked = Outgoing { redirects: Redirects::Any, ..asked };
    let other = redirect(&asked, &head(text)).unwrap().unwrap();
    let next = asked.redirected(&other, false);
    assert_eq!((next.authorization, next.fields.len()), (None, 0));
    let home = asked.redirected(&target, true);
    assert_eq!((home.authorization, home.fields.len()), (Some("s"), 1));
}

#[test]
fn some_redirects_lead_nowhere() {
    let target = url("http://a/");
    let any = Outgoing { redirects: Redirects::Any, ..Outgoing::get(&target) };
    let cases = [
        #[cfg(not(feature = "tls"))]
        ("https://a/", UrlRule::Tls),
        ("unix:///run/x:/b", UrlRule::Scheme),
        ("file:///etc/passwd", UrlRule::Scheme),
        ("http://me@b/", UrlRule::Password),
        ("/a b", UrlRule::Bytes),
    ];
    for (location, rule) in cases {
        let text = format!("HTTP/1.1 301 Moved\r\nLocation: {location}\r\n\r\n");
        match redirect(&any, &head(&text)) {
            Err(RedirectError::Url(fault)) => assert_eq!(fault.rule(), rule, "{location}"),
            other => panic!("{location}: {other:?}"),
        }
    }
}

#[test]
fn other_answers_are_taken_as_they_are() {
    let target = url("http://a/");
    let asked = Outgoing::get(&target);
    let found = "HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n";
    for (redirects, text) in [
        (Redirects::Never, found),
        (Redirects::Any, "HTTP/1.1 302 Found\r\n\r\n"),
        (Redirects::Any, "HTTP/1.1 304 Not Modified\r\nLocation: /b\r\n\r\n"),
        (Redirects::Any, "HTTP/1.1 200 OK\r\nLocation: /b\r\n\r\n"),
    ] {
        let asked = Outgoing { redirects, ..asked };
        assert_eq!(redirect(&asked, &head(text)), Ok(None), "{text}");
    }
    assert_eq!(RedirectError::TooMany.to_string(), "more than 5 redirects");
}

#[cfg(feature = "tls")]
#[test]
fn a_redirect_may_lead_to_tls_and_never_back() {
    let cases = [
        ("http://a/", "https://a/", "https://a:443/"),
        ("http://a/", "https://b:1/c", "https://b:1/c"),
        ("https://a/", "//b/c", "https://b:443/c"),
        ("https://a/x", "/y", "https://a:443/y"),
        ("https://a/", "http://a/", "redirect to a:80, which is without TLS"),
        ("https://a/", "http://a:443/", "redirect to a:443, which is without TLS"),
    ];
    for (from, location, want) in cases {
        let target = url(from);
        let any = Outgoing { redirects: Redirects::Any, ..Outgoing::get(&target) };
        let text = format!("HTTP/1.1 301 Moved\r\nLocation: {location}\r\n\r\n");
        let got = match redirect(&any, &head(&text)) {
            Ok(target) => target.unwrap().to_string(),
            Err(fault) => fault.to_string(),
        };
        assert_eq!(got, want, "{from} to {location}");
    }
}
