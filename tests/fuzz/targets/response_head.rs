//! A response's head, and what the client makes of it.
#![no_main]

use fanin::http::client::{self, Method, Outgoing, Redirects};
use fanin::http::url::Target;
use fanin::http::{head::ReplyHead, scan::Scan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|wire: &[u8]| {
    let Ok(Some(range)) = Scan::new().advance(wire) else { return };
    let Ok(head) = ReplyHead::parse(&wire[range]) else { return };
    assert!((100..600).contains(&head.status()));
    let framing = client::reply_framing(Method::Get, &head);
    let _ = (client::keeps_alive(&head, framing), client::is_interim(&head, 0));
    let target = Target::parse("http://node:9100/a/b?c").unwrap();
    let asked = Outgoing { redirects: Redirects::Any, ..Outgoing::get(&target) };
    if let Ok(Some(next)) = client::redirect(&asked, &head) {
        assert_eq!(Target::parse(&next.to_string()), Ok(next));
    }
});
