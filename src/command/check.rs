//! `fanin check FILE`.

use std::process::ExitCode;

use super::USED_WRONGLY;
use crate::cli;
use crate::config;
use crate::runtime;

pub(super) fn run(typed: &cli::Check) -> ExitCode {
    let plan = match config::load(&typed.file) {
        Ok(plan) => plan,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            cli::complain(format_args!("{error:#}{}", cause.unwrap_or_default()));
            return USED_WRONGLY.into();
        }
    };
    if let Err(error) = runtime::check(&plan) {
        cli::complain(format_args!("{}: {error}", typed.file.display()));
        return USED_WRONGLY.into();
    }
    for warning in plan.warnings() {
        cli::complain(format_args!("warning: {warning}"));
    }
    let routes: usize = plan.servers.iter().map(|server| server.routes.len()).sum();
    let said = cli::say(format_args!(
        "{}: good (servers: {}, routes: {routes}, sources: {})\n",
        typed.file.display(),
        plan.servers.len(),
        plan.sources.len(),
    ));
    if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
