//! `fanin serve`.

use std::process::ExitCode;
use std::rc::Rc;

use super::USED_WRONGLY;
use crate::cli;
use crate::config::Limits;
use crate::runtime::{self, LoadError, Origin};
use crate::telemetry::log::{self as telemetry, Chain, Format};

pub(super) fn run(typed: cli::Serve) -> ExitCode {
    telemetry::start(typed.log_level, typed.log_format.unwrap_or_else(Format::detect));
    serve(Origin {
        file: typed.config,
        listen: typed.listen,
        #[cfg(feature = "pipe")]
        sending: None,
        #[cfg(feature = "push")]
        receiving: None,
    })
}

/// Does what `origin` says until a signal ends it.
pub(super) fn serve(origin: Origin) -> ExitCode {
    let plan = match origin.read() {
        Ok(plan) => plan,
        Err(error) => {
            log::error!("{}", Chain(&error));
            return USED_WRONGLY.into();
        }
    };
    let limits = plan.as_ref().map_or_else(Limits::default, |plan| plan.limits.clone());
    let engine = runtime::engine(&limits);
    let executor = Rc::clone(&engine.executor);
    let served = async {
        let plan = match plan {
            Some(plan) => plan,
            None => origin.discover(&engine).await,
        };
        runtime::run(engine, plan, origin).await
    };
    match smol::block_on(executor.run(served)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{}", Chain(&error));
            match error {
                LoadError::Bind(..) => ExitCode::FAILURE,
                _ => USED_WRONGLY.into(),
            }
        }
    }
}
