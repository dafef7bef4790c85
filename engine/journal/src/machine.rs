//! What the journal has to know about the machine that it is on, in one place that tests can stand in
//! for: how long it runs, which one it is, what kind of file system a folder is on, how long its
//! processes keep each other waiting.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use piton_core::time::Span;
use rustix::time::{ClockId, clock_gettime};

/// Tells the kind of file system that a path is on, by the number in statfs(2).
pub type FileSystemOf = Arc<dyn Fn(&Path) -> Option<u64> + Send + Sync>;

/// A machine, as far as leases and homes are concerned.
#[derive(Clone)]
pub struct Machine {
    /// Id of the operating system's installation; nothing where it has none, as in most containers.
    pub id: Option<String>,
    /// Id of this boot, which all containers of a machine share; empty where there is none.
    pub boot: String,
    /// How long the machine has been running, not counting sleep. Setting its clock changes nothing
    /// about it, and a machine that slept does not take its own processes for silent.
    pub uptime: Arc<dyn Fn() -> Span + Send + Sync>,
    /// The number that the operating system gives the kind of file system that a path is on; nothing
    /// where it gives none.
    pub file_system: FileSystemOf,
    /// Somebody said that the home may be on a network file system.
    pub allows_network: bool,
    /// How long a transaction waits for one of another process, which lasts milliseconds.
    pub patience: Duration,
}

impl Machine {
    /// This machine.
    pub fn this() -> Self {
        Self {
            id: first_text(&["/etc/machine-id", "/var/lib/dbus/machine-id"]),
            boot: first_text(&["/proc/sys/kernel/random/boot_id"]).unwrap_or_default(),
            uptime: Arc::new(uptime),
            file_system: Arc::new(file_system),
            allows_network: false,
            patience: Duration::from_secs(10),
        }
    }

    /// The kind of network file system that a path is on, unless that is allowed.
    pub(crate) fn network_under(&self, path: &Path) -> Option<&'static str> {
        match self.allows_network {
            true => None,
            false => (self.file_system)(path).and_then(network_name),
        }
    }
}

/// The first of these files that has something to say.
fn first_text(paths: &[&str]) -> Option<String> {
    let texts = paths.iter().filter_map(|path| fs::read_to_string(path).ok());
    // An image that was not started yet says so with this word.
    let said = |text: &String| !text.is_empty() && text != "uninitialized";
    texts.map(|text| text.trim().to_owned()).find(said)
}

fn uptime() -> Span {
    let passed = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(passed.tv_sec).unwrap_or_default();
    let millis = u64::try_from(passed.tv_nsec / 1_000_000).unwrap_or_default();
    Span::from_millis(seconds.saturating_mul(1000).saturating_add(millis))
}

#[cfg(target_os = "linux")]
fn file_system(path: &Path) -> Option<u64> {
    let kind = rustix::fs::statfs(path).ok()?.f_type;
    // The number has 32 bits; where the field has more, those of some are extended with their sign.
    Some((kind as u64) & 0xffff_ffff)
}

#[cfg(not(target_os = "linux"))]
fn file_system(_path: &Path) -> Option<u64> {
    None
}

/// File systems that several machines can have mounted at once, by the number in statfs(2). FUSE is
/// among them because nothing tells sshfs and s3fs from those that are on a disk of this machine.
fn network_name(kind: u64) -> Option<&'static str> {
    Some(match kind {
        0x6969 => "NFS",
        0x517b | 0xfe53_4d42 => "SMB",
        0xff53_4d42 => "CIFS",
        0x6573_5546 => "FUSE",
        0x0102_1997 => "9p",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x564c => "NCP",
        0x786f_4256 => "VirtualBox shared folder",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn time_that_the_machine_ran_does_not_go_back() {
        let machine = Machine::this();
        let first = (machine.uptime)();
        assert!(first > Span::from_millis(0));
        assert!((machine.uptime)() >= first);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_of_this_machine_is_no_network() {
        let machine = Machine::this();
        assert!(!machine.boot.is_empty());
        let proc = (machine.file_system)(Path::new("/proc")).unwrap();
        assert_eq!((proc, network_name(proc)), (0x9fa0, None));
    }
}
