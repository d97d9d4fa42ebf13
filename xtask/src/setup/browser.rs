//! Chromium and chromedriver: found where they usually are, or installed from Debian's packages.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use super::apt;
use crate::project::which;
use crate::run::{Advise, Log, major, output, version_of};

const ADVICE: &str = "install Chromium (or Chrome for Testing) and the chromedriver of the same version, or set CHROME \
                      and CHROMEDRIVER to where they are.";

/// Google's Chrome comes last, since it loads no unpacked extension from its command line.
const NAMES: [&str; 5] =
    ["chromium", "chromium-browser", "chrome", "google-chrome-stable", "google-chrome"];
const PLACES: [&str; 3] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Whether chromedriver is needed as well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// For the tests of the wasm module.
    Needed,
    /// The demo drives Chromium without it.
    NotNeeded,
}

/// An installed browser.
pub struct Browser {
    /// The program that starts it.
    pub chrome: PathBuf,
    /// Its chromedriver, if there is one of the same major version.
    pub driver: Option<PathBuf>,
    /// Such as `156.0.8078.79`.
    pub version: String,
}

/// Finds or installs it.
pub fn prepare(log: &mut Log, driver: Driver) -> Result<Browser> {
    let found = find_chrome()?;
    let lacks_driver = driver == Driver::Needed && find_driver().is_none();
    if found.is_some() && !lacks_driver {
        let browser = check(found.context("no browser")?, driver)?;
        log.note(format!("there: {}", browser.version));
        return Ok(browser);
    }
    if !apt::exists() {
        let what = if found.is_some() { "chromedriver" } else { "Chromium" };
        return apt::unavailable(what, ADVICE);
    }
    apt::install(log, &["chromium", "chromium-driver", "fonts-liberation"])?;
    let chrome = find_chrome()?
        .context("The package chromium is installed, but there is no chromium on PATH.");
    let browser = check(chrome.advise(ADVICE)?, driver)?;
    log.note(format!("installed {}", browser.version));
    Ok(browser)
}

/// Whether this process runs as root, for whom Chromium's sandbox refuses to start.
pub fn is_root() -> bool {
    cfg!(unix) && output(Command::new("id").arg("-u")).is_ok_and(|id| id == "0")
}

fn find_chrome() -> Result<Option<PathBuf>> {
    if let Some(named) = named("CHROME")? {
        return Ok(Some(named));
    }
    let places = PLACES.iter().map(PathBuf::from).filter(|place| place.is_file());
    Ok(NAMES.iter().filter_map(|name| which(name)).chain(places).next())
}

fn find_driver() -> Option<PathBuf> {
    named("CHROMEDRIVER").ok().flatten().or_else(|| which("chromedriver"))
}

fn named(variable: &str) -> Result<Option<PathBuf>> {
    let Some(path) = env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
    else {
        return Ok(None);
    };
    if path.is_file() {
        Ok(Some(path))
    } else {
        bail!("{variable} is {}, and there is no such file.", path.display())
    }
}

fn check(chrome: PathBuf, needed: Driver) -> Result<Browser> {
    let version = version_of(&chrome)
        .with_context(|| format!("{} does not tell its version.", chrome.display()))
        .advise("run it once by hand and see what it says.")?;
    let same = |driver: &Path| version_of(driver).as_deref().and_then(major) == major(&version);
    let driver = find_driver();
    if needed == Driver::Needed && !driver.as_deref().is_some_and(same) {
        let theirs = driver.as_deref().and_then(version_of).unwrap_or_else(|| "missing".to_owned());
        return Err(anyhow!("{} is {version}, but chromedriver is {theirs}.", chrome.display()))
            .advise(ADVICE);
    }
    let driver = driver.filter(|driver| same(driver));
    Ok(Browser { chrome, driver, version })
}
