//! What the browsers differ in.

use std::path::PathBuf;

use serde_json::{Value, json};
use xtask_tools::GECKODRIVER;

/// Which browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrowserKind {
    /// Debian's `chromium`.
    Chromium,
    /// Debian's `firefox-esr`.
    Firefox,
}

impl BrowserKind {
    /// The program that drives it.
    pub(crate) fn driver(self) -> PathBuf {
        match self {
            Self::Chromium => "chromedriver".into(),
            Self::Firefox => GECKODRIVER.program().expect("a cache directory"),
        }
    }

    /// What the driver prints right before its port.
    pub(crate) const fn before_the_port(self) -> &'static str {
        match self {
            Self::Chromium => "started successfully on port ",
            Self::Firefox => "Listening on 127.0.0.1:",
        }
    }

    /// What the driver and the browser find in their environment. Only with this does a released
    /// Firefox heed the driver's preference that keeps it from fetching settings over the network.
    pub(crate) const fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Chromium => &[],
            Self::Firefox => &[("MOZ_REMOTE_SETTINGS_DEVTOOLS", "1")],
        }
    }

    /// What a session is asked for: no window, and no traffic but the page's.
    pub(crate) fn capabilities(self) -> Value {
        match self {
            Self::Chromium => chromium(),
            Self::Firefox => firefox(),
        }
    }
}

fn chromium() -> Value {
    json!({
        "browserName": "chrome",
        // The examples make their certificates themselves.
        "acceptInsecureCerts": true,
        "goog:chromeOptions": {
            "binary": "/usr/bin/chromium",
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--no-first-run", "--window-size=1280,1400",
            ],
        },
    })
}

/// The driver makes a profile of its own, in which most of what a Firefox does by itself is off.
fn firefox() -> Value {
    json!({
        "browserName": "firefox",
        "moz:firefoxOptions": {
            "binary": "/usr/bin/firefox-esr",
            "args": ["--headless", "--width", "1280", "--height", "1400"],
        },
    })
}
