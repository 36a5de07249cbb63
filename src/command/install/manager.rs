//! The service managers that fanin can be a service of, and the file that each wants.
//!
//! Those of systemd and procd are the packages' own, with what differs put in.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Of the Debian package.
const UNIT: &str = include_str!("../../../cross/packaged/fanin.service");

/// Of the OpenWrt package.
const PROCD: &str = include_str!("../../../cross/packaged/openwrt/fanin.init");

const OPENRC: &str = include_str!("../../../cross/packaged/openrc.init");

/// Folders of programs that stay: what is there is not copied.
const SYSTEM: [&str; 5] = ["/bin", "/opt", "/sbin", "/usr/bin", "/usr/local/bin"];

/// What starts services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// Debian, Raspberry Pi OS and most others.
    Systemd,
    /// OpenWrt.
    Procd,
    /// Alpine, Gentoo.
    OpenRc,
}

impl FromStr for Manager {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "systemd" => Ok(Self::Systemd),
            "procd" => Ok(Self::Procd),
            "openrc" => Ok(Self::OpenRc),
            _ => Err("is none of systemd, procd, openrc"),
        }
    }
}

impl Manager {
    /// The one of the machine whose files are below `root`.
    pub(super) fn of(root: &Path) -> Option<Self> {
        let signs = [
            ("run/systemd/system", Self::Systemd),
            ("sbin/procd", Self::Procd),
            ("sbin/openrc-run", Self::OpenRc),
            ("usr/sbin/openrc-run", Self::OpenRc),
            // Not running, as in an image that is being made.
            ("usr/lib/systemd/systemd", Self::Systemd),
            ("lib/systemd/systemd", Self::Systemd),
        ];
        signs.into_iter().find(|(sign, _)| root.join(sign).exists()).map(|(_, manager)| manager)
    }

    /// Where the service's file belongs.
    pub(super) const fn service_file(self) -> &'static str {
        match self {
            Self::Systemd => "/etc/systemd/system/fanin.service",
            Self::Procd | Self::OpenRc => "/etc/init.d/fanin",
        }
    }

    pub(super) const fn service_mode(self) -> u32 {
        match self {
            Self::Systemd => 0o644,
            Self::Procd | Self::OpenRc => 0o755,
        }
    }

    /// What a package has, other than the service's file, if one is installed.
    pub(super) const fn packaged_files(self) -> &'static [&'static str] {
        match self {
            Self::Systemd => {
                &["/usr/lib/systemd/system/fanin.service", "/lib/systemd/system/fanin.service"]
            }
            Self::Procd | Self::OpenRc => &[],
        }
    }

    pub(super) const fn config_file(self) -> &'static str {
        match self {
            Self::Procd => "/etc/fanin.yaml",
            Self::Systemd | Self::OpenRc => "/etc/fanin/fanin.yaml",
        }
    }

    /// Where the service finds the program that runs from `exe` now; `elsewhere`: on another machine.
    pub(super) fn program(self, exe: &Path, elsewhere: bool) -> PathBuf {
        let stays = SYSTEM.iter().any(|folder| exe.starts_with(folder));
        match self {
            _ if stays && !elsewhere => exe.to_owned(),
            Self::Procd => "/usr/bin/fanin".into(),
            Self::Systemd | Self::OpenRc => "/usr/local/bin/fanin".into(),
        }
    }

    /// The text of the service's file, `mark` in its first lines.
    pub(super) fn service(self, mark: &str, program: &Path, config: &Path) -> String {
        let (program, config) = (program.display().to_string(), config.display().to_string());
        let packaged = match self {
            Self::Systemd => UNIT,
            Self::Procd => PROCD,
            Self::OpenRc => OPENRC,
        };
        let text = packaged
            .replace("/usr/bin/fanin", &program)
            .replace("/etc/fanin/fanin.yaml", &config)
            .replace("/etc/fanin.yaml", &config);
        match self {
            Self::Systemd => {
                let user = "# A user that exists while fanin runs. /tmp is its own.\nDynamicUser=yes\nUser=fanin\n";
                let text = text.replace("User=fanin\nGroup=fanin\n", user);
                let text = text.replace("ReadWritePaths=-/tmp -/var/tmp\n", "");
                let text = text.replace("#   PrivateTmp       files in /tmp are read there\n", "");
                format!("# {mark}.\n{text}")
            }
            Self::Procd | Self::OpenRc => {
                let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
                format!("{first}\n# {mark}.\n{rest}")
            }
        }
    }

    /// What the service is, and what to type next.
    pub(super) fn explanation(self, config: &Path) -> impl fmt::Display {
        let config = config.display();
        match self {
            Self::Systemd => format!(
                "\
The service runs as a user of its own that exists only meanwhile. It may read what everybody may
read, write nowhere, and use the network; systemd starts it again when it fails or hangs.
Secrets that only root may read, such as /etc/fanin/token, are handed to it by
`systemctl edit fanin`: [Service] LoadCredential=token:/etc/fanin/token
and are /run/credentials/fanin.service/token in {config}.

Next:
    systemctl daemon-reload
    systemctl enable --now fanin
After a change of {config}:
    systemctl reload fanin
Its log:
    journalctl -u fanin
"
            ),
            Self::Procd => format!(
                "\
The service runs as the user fanin, which it makes at its first start; {config} belongs to root
and that user's group. procd starts it again when it fails.

Next:
    /etc/init.d/fanin enable
    /etc/init.d/fanin start
After a change of {config}:
    /etc/init.d/fanin reload
Its log:
    logread -e fanin
"
            ),
            Self::OpenRc => format!(
                "\
The service runs as the user fanin, which it makes at its first start; {config} belongs to root
and that user's group. supervise-daemon starts it again when it fails.

Next:
    rc-update add fanin default
    rc-service fanin start
After a change of {config}:
    rc-service fanin reload
Its log is in the system's, as fanin.
"
            ),
        }
    }

    /// The links that start the service with the machine.
    pub(super) const fn links(self) -> &'static [&'static str] {
        match self {
            Self::Systemd => &["/etc/systemd/system/multi-user.target.wants/fanin.service"],
            Self::Procd => &["/etc/rc.d/S95fanin", "/etc/rc.d/K10fanin"],
            Self::OpenRc => &["/etc/runlevels/default/fanin"],
        }
    }

    /// What is there while the service runs, where it cannot be stopped without its file; and what
    /// stops it.
    pub(super) const fn sign_of_running(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Systemd | Self::Procd => None,
            Self::OpenRc => Some(("/run/openrc/started/fanin", "rc-service fanin stop")),
        }
    }

    /// What to type once the service's file is gone.
    pub(super) const fn farewell(self) -> &'static str {
        match self {
            Self::Systemd => "    systemctl stop fanin\n    systemctl daemon-reload\n",
            Self::Procd => "    ubus call service delete '{\"name\":\"fanin\"}'\n",
            Self::OpenRc => "    deluser fanin    # or userdel fanin\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The packages' files, in which this module looks for what it puts in, have it.
    #[test]
    fn every_service_has_the_mark_the_program_and_the_configuration() {
        for manager in [Manager::Systemd, Manager::Procd, Manager::OpenRc] {
            let text = manager.service("MARK", Path::new("/opt/here"), Path::new("/srv/c.yaml"));
            assert!(text.contains("# MARK.\n"), "{text}");
            assert!(text.contains("/opt/here"), "{text}");
            assert!(text.contains("serve --config /srv/c.yaml"), "{text}");
            assert!(!text.contains("/usr/bin/fanin") && !text.contains("/etc/fanin"), "{text}");
            assert_eq!(manager == Manager::Systemd, text.contains("\nDynamicUser=yes\n"), "{text}");
            assert!(!text.contains("Group=fanin") && !text.contains("PrivateTmp"), "{text}");
            let script = text.starts_with("#!/");
            assert_eq!(script, manager.service_mode() == 0o755, "{text}");
        }
    }

    #[test]
    fn what_is_in_a_systems_folder_stays_there() {
        let cases = [
            ("/usr/bin/fanin", false, "/usr/bin/fanin", "/usr/bin/fanin"),
            ("/opt/fanin/fanin", false, "/opt/fanin/fanin", "/opt/fanin/fanin"),
            ("/home/pi/fanin", false, "/usr/local/bin/fanin", "/usr/bin/fanin"),
            ("/usr/bin/fanin", true, "/usr/local/bin/fanin", "/usr/bin/fanin"),
        ];
        for (exe, elsewhere, systemd, procd) in cases {
            let at = |manager: Manager| manager.program(Path::new(exe), elsewhere);
            assert_eq!(at(Manager::Systemd), Path::new(systemd), "{exe} {elsewhere}");
            assert_eq!(at(Manager::Procd), Path::new(procd), "{exe} {elsewhere}");
        }
    }
}
