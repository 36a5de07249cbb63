//! How a probe went: whether the printer is there, and what each module has got.

use std::time::Duration;

use super::doc::Doc;
use super::table::need;
use super::write::Writer;
use crate::config::Modules;
use crate::source::ScrapeError;

/// How one reply was had.
pub(super) struct Report {
    pub(super) doc: Doc,
    pub(super) took: Duration,
    pub(super) error: Option<ScrapeError>,
}

impl Report {
    /// Why it has nothing, in a word; what Moonraker is not set up for is no failure.
    fn reason(&self) -> Option<&'static str> {
        match self.error.as_ref()? {
            ScrapeError::Status(404) => None,
            ScrapeError::Status(401 | 403) => Some("unauthorized"),
            ScrapeError::Status(503) if self.doc.is_of_klipper() => Some("klippy_disconnected"),
            error => Some(error.reason()),
        }
    }
}

/// How a probe went.
pub(super) struct Verdict<'a> {
    /// Whether Moonraker has answered at all.
    pub(super) up: bool,
    modules: Modules,
    reports: &'a [Report],
    took: Duration,
}

impl<'a> Verdict<'a> {
    pub(super) fn new(modules: Modules, reports: &'a [Report], took: Duration) -> Self {
        let answered =
            |report: &Report| matches!(report.error, None | Some(ScrapeError::Status(503)));
        // An object's question that needed no asking is no answer.
        let up = reports.iter().any(answered) || modules.is_empty();
        Self { up, modules, reports, took }
    }

    /// The replies that a module needs; none where they were not even asked for. Behind them those
    /// that were asked for later.
    fn of(&self, module: crate::config::Module) -> impl Iterator<Item = Option<&'a Report>> {
        let module = Modules::only(module);
        let docs = Doc::ALL.into_iter().filter(move |doc| need(module, *doc));
        let is_later = move |it: &&Report| !Doc::ALL.contains(&it.doc) && need(module, it.doc);
        let later = self.reports.iter().filter(is_later).map(Some);
        docs.map(|doc| self.reports.iter().find(|report| report.doc == doc)).chain(later)
    }

    /// At the front of the page, whatever else is on it.
    pub(super) fn write(&self, out: &mut Writer) {
        let succeeded = |module| {
            self.of(module).all(|report| report.is_some_and(|report| report.reason().is_none()))
        };
        out.gauge("up", "Whether the printer's Moonraker answers.");
        out.sample(u8::from(self.up));
        out.own_gauge("fanin_probe_success", "Whether every module has got what it asked for.");
        out.sample(u8::from(self.up && self.modules.iter().all(succeeded)));
        out.gauge("probe_duration_seconds", "Time that the printer was asked for.");
        out.sample(self.took.as_secs_f64());
        out.gauge("module_success", "Whether a module has got what it asked for.");
        for module in self.modules.iter() {
            out.label("module", module.name()).sample(u8::from(succeeded(module)));
        }
        out.gauge(
            "module_duration_seconds",
            "Time that a module's replies took, the longest of them.",
        );
        for module in self.modules.iter() {
            let took = self.of(module).flatten().map(|report| report.took).max();
            out.label("module", module.name()).sample(took.unwrap_or_default().as_secs_f64());
        }
        out.gauge("module_failure_info", "Why a module has not got what it asked for.");
        let unreachable = self.reports.iter().find_map(Report::reason);
        for module in self.modules.iter() {
            let reason = self.of(module).find_map(|report| match report {
                Some(report) => report.reason(),
                None => unreachable,
            });
            if let Some(reason) = reason {
                out.label("module", module.name()).label("reason", reason).sample(1);
            }
        }
    }
}
