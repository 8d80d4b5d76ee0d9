//! The Debian packages that the tests need.

use std::path::Path;

use crate::{
    error::{Error, Obstacle},
    step::{Step, ask},
};

/// A C compiler to build with; two browsers and the driver of one (the other's is a cargo tool), a
/// plain client, three proxies and what makes their certificates, a store that outlives a process,
/// networks of their own, and a processor that counts, to test with.
const PACKAGES: &[&str] = &[
    "build-essential",
    "ca-certificates",
    "caddy",
    "chromium",
    "chromium-driver",
    "curl",
    "firefox-esr",
    "haproxy",
    "iproute2",
    "nginx",
    "openssl",
    "pkg-config",
    "redis-server",
    "valgrind",
];

/// Packages that are services of the same name, which Debian starts where there is a systemd. The tests
/// start their own.
const SERVICES: &[&str] = &["caddy", "haproxy", "nginx", "redis-server"];

/// Commands that may have come from elsewhere, each with the package that brings it otherwise.
/// Another's `nodejs` has its own npm, which Debian's would be at odds with.
const COMMANDS: &[(&str, &str)] = &[("node", "nodejs"), ("npm", "npm")];

/// Installs what is missing.
///
/// # Errors
///
/// [`Error::PackagesMissing`] where that takes root or an apt-get that isn't there, and what
/// [`Step::run`] returns.
pub(crate) fn install() -> Result<(), Error> {
    let mut missing = missing(&installed());
    missing.extend(without_command(|command| {
        ask(command, &["--version"]).is_some_and(|answer| answer.success)
    }));
    if missing.is_empty() {
        eprintln!("[packages] nothing to do");
        return Ok(());
    }
    if let Some(obstacle) = obstacle() {
        return Err(Error::PackagesMissing {
            obstacle,
            command: format!(
                "sudo apt-get install -y --no-install-recommends {}",
                missing.join(" ")
            ),
        });
    }
    update().run()?;
    install_step(&missing).run()?;
    let services = services_of(&missing);
    // As sd_booted(3) asks.
    if services.is_empty() || !Path::new("/run/systemd/system").is_dir() {
        return Ok(());
    }
    stop_step(&services).run()
}

/// The services that the installation of these packages starts.
fn services_of(packages: &[&'static str]) -> Vec<&'static str> {
    let is_new = |service: &&&str| packages.contains(*service);
    SERVICES.iter().filter(is_new).copied().collect()
}

/// What dpkg knows of the packages, a `name status` line each. It leaves out, and fails for, names
/// that it has never heard of; so its exit status says nothing here.
fn installed() -> String {
    let mut arguments = vec!["-W", "-f=${Package} ${db:Status-Status}\n"];
    arguments.extend(PACKAGES);
    ask("dpkg-query", &arguments)
        .map(|answer| answer.stdout)
        .unwrap_or_default()
}

/// The packages that no line calls installed.
fn missing(listing: &str) -> Vec<&'static str> {
    let is_installed = |package: &str| {
        listing
            .lines()
            .filter_map(|line| line.split_once(' '))
            .any(|(name, status)| name == package && status == "installed")
    };
    PACKAGES
        .iter()
        .copied()
        .filter(|package| !is_installed(package))
        .collect()
}

/// The packages of those commands that don't work.
fn without_command(works: impl Fn(&str) -> bool) -> impl Iterator<Item = &'static str> {
    let missing = COMMANDS.iter().filter(move |(command, _)| !works(command));
    missing.map(|(_, package)| *package)
}

fn obstacle() -> Option<Obstacle> {
    if ask("apt-get", &["--version"]).is_none() {
        return Some(Obstacle::NoAptGet);
    }
    let is_root = ask("id", &["-u"]).is_some_and(|answer| answer.stdout.trim() == "0");
    (!is_root).then_some(Obstacle::NotRoot)
}

fn update() -> Step {
    Step::new("packages", "apt-get").words("update")
}

fn install_step(packages: &[&'static str]) -> Step {
    Step::new("packages", "apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .words("install -y --no-install-recommends")
        .arguments(packages.iter().copied())
}

/// Takes ports 80 and 6379 back. There is no telling apt: on systemd, packages ask `policy-rc.d` alone
/// whether to start a service, and that is the machine's, for all that is installed.
fn stop_step(services: &[&'static str]) -> Step {
    Step::new("packages", "systemctl")
        .words("disable --now")
        .arguments(services.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_status_installed_counts() {
        let listing = "build-essential installed\nca-certificates installed\n\
                       caddy installed\nchromium config-files\n\
                       chromium-driver not-installed\nfirefox-esr installed\n\
                       haproxy half-installed\niproute2 installed\nnginx installed\n\
                       openssl installed\npkg-config installed\n\
                       redis-server installed\nvalgrind installed\n";
        let expected = ["chromium", "chromium-driver", "curl", "haproxy"];
        assert_eq!(missing(listing), expected);
    }

    #[test]
    fn a_package_installed_for_one_of_two_architectures_is_there() {
        let listing = PACKAGES
            .iter()
            .map(|name| format!("{name} not-installed\n{name} installed\n"))
            .collect::<String>();
        assert!(missing(&listing).is_empty());
    }

    #[test]
    fn without_dpkg_everything_is_missing() {
        assert_eq!(missing(""), PACKAGES);
    }

    #[test]
    fn a_command_from_elsewhere_will_do() {
        assert_eq!(without_command(|_| true).count(), 0);
        assert!(without_command(|command| command == "node").eq(["npm"]));
    }

    #[test]
    fn only_services_that_are_new_are_stopped() {
        assert!(SERVICES.iter().all(|service| PACKAGES.contains(service)));
        let services = services_of(&["chromium", "nginx", "redis-server"]);
        let stop = stop_step(&services).render();
        assert_eq!(stop, "systemctl disable --now nginx redis-server");
    }

    #[test]
    fn the_installation_asks_nothing() {
        assert_eq!(
            install_step(&["chromium", "curl"]).render(),
            "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium curl"
        );
    }
}
