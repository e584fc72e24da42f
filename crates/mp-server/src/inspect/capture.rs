//! The capture file of `inspect`.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use clap::Args;
use mp_bots::scenario::{BotTransport, ServerAddress};
use mp_core::Instant;
use mp_core::host::{SystemClock, unix_now};
use mp_wire::{Capture, ProjectNames, WireDatagram, WireEvent};

use super::ProxyArgs;
use crate::Failure;

/// Arguments of the capture file.
#[derive(Args, Clone, Debug)]
pub(super) struct CaptureArgs {
    /// Write what passes as a pcapng file for Wireshark, which must not exist; see `mp-server
    /// wireshark`
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Maximum size of the file in MiB; packets beyond are counted and not written
    #[arg(long, value_name = "MIB", default_value_t = 256, requires = "pcap",
          value_parser = clap::value_parser!(u64).range(1..=SIZE_MAX))]
    pcap_size: u64,
}

/// A capture file that the observers of a proxy share.
#[derive(Clone, Debug)]
pub(super) struct SharedCapture(Rc<CaptureFile>);

#[derive(Debug)]
struct CaptureFile {
    path: PathBuf,
    capture: RefCell<Capture<File>>,
    clock: SystemClock,
    /// Start of the capture, and the seconds since 1970 then.
    start: (Instant, u64),
}

impl CaptureArgs {
    /// Creates the file, which only its owner can read.
    pub(super) fn start(
        &self,
        listen: SocketAddr,
        proxy: &ProxyArgs,
        server: &ServerAddress,
        names: Option<Rc<ProjectNames>>,
    ) -> Result<Option<SharedCapture>, Failure> {
        self.create(|file, bytes_max| match server.transport {
            BotTransport::WebSocket => Capture::of_messages(file, listen, names, bytes_max),
            _ => Capture::of_datagrams(file, listen, proxy.compression(), names, bytes_max),
        })
    }

    /// Creates the file of a recording, which only its owner can read.
    pub(super) fn start_recording(
        &self,
        names: Option<Rc<ProjectNames>>,
    ) -> Result<Option<SharedCapture>, Failure> {
        let server = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        self.create(|file, bytes_max| Capture::of_messages(file, server, names, bytes_max))
    }

    fn create(
        &self,
        capture: impl FnOnce(File, u64) -> io::Result<Capture<File>>,
    ) -> Result<Option<SharedCapture>, Failure> {
        let Some(path) = self.pcap.clone() else { return Ok(None) };
        let refused = |error: io::Error| {
            let help = match error.kind() {
                io::ErrorKind::AlreadyExists => "; remove it, or pass another --pcap",
                _ => "",
            };
            Failure::Refused(format!("cannot create {}: {error}{help}", path.display()))
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(refused)?;
        let capture = RefCell::new(capture(file, self.pcap_size << 20).map_err(refused)?);
        let clock = SystemClock::new();
        let start = (clock.now(), unix_now());
        Ok(Some(SharedCapture(Rc::new(CaptureFile { path, capture, clock, start }))))
    }
}

impl SharedCapture {
    pub(super) fn datagram(&self, datagram: &WireDatagram) {
        self.0.capture.borrow_mut().datagram(self.now(), datagram);
    }

    pub(super) fn event(&self, event: &WireEvent) {
        self.event_at(self.now(), event);
    }

    /// Writes an event of the time `at` since 1970.
    pub(super) fn event_at(&self, at: Duration, event: &WireEvent) {
        self.0.capture.borrow_mut().event(at, event);
    }

    /// Returns the numbers of packets.
    pub(super) fn summary(&self) -> String {
        let stats = self.0.capture.borrow().stats();
        let mut text = format!("{} packets in {}", stats.written, self.0.path.display());
        if stats.omitted > 0 {
            text += &format!(", {} not written: see --pcap-size", stats.omitted);
        }
        text + "\n"
    }

    /// Returns the first error of writing.
    pub(super) fn result(&self) -> Result<(), Failure> {
        let capture = self.0.capture.borrow();
        capture.error().map_or(Ok(()), |error| {
            let path = self.0.path.display();
            Err(Failure::Unprinted(format!("cannot write {path}: {error}")))
        })
    }

    /// Returns the time since 1970, which is precise relative to other packets.
    fn now(&self) -> Duration {
        let (start, seconds) = self.0.start;
        Duration::from_secs(seconds) + (self.0.clock.now() - start)
    }
}

/// Maximum size of a file in MiB.
const SIZE_MAX: u64 = 1 << 20;
