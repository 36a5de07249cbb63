//! `fanin probe TARGET`: one printer, whoever it is: who types its address has chosen it.

use std::fs;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use crate::cli;
use crate::config::{Limits, Secret, Ways};
use crate::exposition::Watch;
use crate::limits::{DEFAULT_BODY, DEFAULT_FAMILIES, DEFAULT_SCRAPE_TIMEOUT};
use crate::runtime;
use crate::source::klipper::{Ask, Printer};
use crate::telemetry::log::Chain;

pub(super) fn run(typed: cli::Probe) -> ExitCode {
    let key = match typed.api_key_file.as_ref().map(fs::read_to_string).transpose() {
        Ok(key) => key.map(|key| Secret::new(key.trim_end())),
        Err(error) => {
            cli::complain(format_args!("--api-key-file: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let engine = runtime::engine(&Limits::default());
    let printer = Printer::at(typed.target.0, key, Ways::default());
    let now = Instant::now();
    let ask = Ask {
        modules: typed.modules.0,
        api_key: None,
        reach: None,
        deadline: now.checked_add(DEFAULT_SCRAPE_TIMEOUT).unwrap_or(now),
        limit: DEFAULT_BODY,
        families: DEFAULT_FAMILIES,
        watch: &Watch::new(None::<&str>),
    };
    let executor = Rc::clone(&engine.executor);
    let asking = printer.ask(&engine, &engine.reserve, &ask);
    let answer = match smol::block_on(executor.run(asking)) {
        Ok(answer) => answer,
        Err(error) => {
            cli::complain(Chain(&error));
            return ExitCode::FAILURE;
        }
    };
    for block in answer.page.text().blocks() {
        if cli::say(String::from_utf8_lossy(block.filled())).is_err() {
            return ExitCode::FAILURE;
        }
    }
    match answer.down {
        None => ExitCode::SUCCESS,
        Some(error) => {
            cli::complain(format_args!("{}: {:#}", printer.target().authority(), Chain(&error)));
            ExitCode::FAILURE
        }
    }
}
