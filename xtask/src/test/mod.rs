//! `cargo xtask test`: the whole suite in order, each step in its own log, and a table at the end.

mod count;
mod steps;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::extension::Built;
use crate::progress::{Progress, duration};
use crate::project::Project;
use crate::run::{self, Log};
use crate::setup::{AllTools, Setup};

/// The inputs of a step, with the results of earlier steps.
struct Suite<'a> {
    project: &'a Project,
    tools: AllTools,
    /// Built by the first step that needs it.
    built: OnceCell<Built>,
}

/// One step of the suite.
struct Step {
    name: &'static str,
    about: &'static str,
    work: fn(&Suite<'_>, &mut Log) -> Result<()>,
}

/// The steps in their order. Fast ones come first.
const STEPS: [Step; 11] = [
    Step { name: "fmt", about: "the sources are formatted", work: steps::format },
    Step {
        name: "types",
        about: "types of the UI, the extension and the end-to-end tests",
        work: steps::types,
    },
    Step { name: "clippy", about: "no warnings, native", work: steps::clippy },
    Step { name: "clippy-wasm", about: "no warnings, wasm", work: steps::clippy_wasm },
    Step {
        name: "native",
        about: "unit, protocol, simulation and other native tests",
        work: steps::native,
    },
    Step {
        name: "fuzz",
        about: "any bytes, to every decoder and a whole node, for a moment",
        work: steps::fuzz,
    },
    Step { name: "wasm-tree", about: "nothing native in the wasm module", work: steps::wasm_tree },
    Step {
        name: "extension",
        about: "it builds, the same bytes twice, within its budgets",
        work: steps::extension,
    },
    Step { name: "wasm", about: "the browser node in headless Chromium", work: steps::wasm },
    Step {
        name: "interop",
        about: "the independent baseline peer's own tests",
        work: steps::interop,
    },
    Step {
        name: "e2e",
        about: "extension, page, command line and baseline peers together",
        work: steps::end_to_end,
    },
];

/// How a step ended.
struct Outcome {
    step: &'static Step,
    error: Option<anyhow::Error>,
    /// How many tests ran in it, if it can tell.
    tests: String,
    time: Duration,
}

/// Runs the suite, or the named steps of it. The exit code is 0 only if nothing failed.
pub fn command(project: &Project, names: &[String]) -> Result<ExitCode> {
    if names.iter().any(|name| name == "--list") {
        STEPS.iter().for_each(|step| println!("  {:<14} {}", step.name, step.about));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        bail!("There is no step `{unknown}`. The steps are: {}.", known.join(", "));
    }
    let _alone = project.lock()?;
    let started = Instant::now();
    let progress = Progress::begin(project, "Setting up");
    let tools = Setup { project, progress: &progress }.for_tests()?;
    let suite = Suite { project, tools, built: OnceCell::new() };
    let progress = Progress::begin(project, "\nTesting");
    let chosen =
        STEPS.iter().filter(|step| names.is_empty() || names.iter().any(|name| name == step.name));
    let outcomes: Vec<Outcome> = chosen.map(|step| run_step(step, &suite, &progress)).collect();
    Ok(report(&suite, &outcomes, started.elapsed()))
}

fn run_step(step: &'static Step, suite: &Suite<'_>, progress: &Progress<'_>) -> Outcome {
    let started = Instant::now();
    let (mut tests, mut failures) = (String::new(), BTreeSet::new());
    let result = progress.step(step.name, |log| {
        let result = (step.work)(suite, log);
        (tests, failures) = (count::tests(&log.text()), count::failures(&log.text()));
        if log.note.is_empty() {
            log.note(tests.as_str());
        }
        result
    });
    let error = result.err();
    if let Some(error) = &error {
        println!("\n{}\n", run::explain(error));
        failures.iter().for_each(|name| println!("    failed: {name}"));
    }
    Outcome { step, error, tests, time: started.elapsed() }
}

/// The table; its last line counts the steps.
fn report(suite: &Suite<'_>, outcomes: &[Outcome], total: Duration) -> ExitCode {
    println!(
        "\n  {:<12} {:<58} {:<8} {:<28} {:>9}",
        "step", "what it shows", "result", "tests", "time"
    );
    for outcome in outcomes {
        let result = if outcome.error.is_none() { "passed" } else { "FAILED" };
        let Step { name, about, .. } = outcome.step;
        println!(
            "  {name:<12} {about:<58} {result:<8} {:<28} {:>9}",
            outcome.tests,
            duration(outcome.time)
        );
    }
    println!("  {:<109} {:>9}", "all, with set-up", duration(total));
    if let Some(built) = suite.built.get() {
        println!("\n{}", built.sizes.report());
    }
    let failed = outcomes.iter().filter(|outcome| outcome.error.is_some()).count();
    println!("\n{} passed, {failed} failed", outcomes.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
