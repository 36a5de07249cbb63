//! A URL: what is taken can be written and taken again.
#![no_main]

use fanin::http::{target::RequestTarget, url::Target};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Target::parse(text) {
        Ok(target) => assert_eq!(Target::parse(&target.to_string()), Ok(target)),
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
    let _ = RequestTarget::parse(text);
});
