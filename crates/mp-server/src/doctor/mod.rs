//! `mp-server doctor`: checks the machine and the configuration before players do.
//!
//! Each group of checks is a module with facts, which it gathers from the system and the
//! configuration, and a function from these facts to [`Finding`]s without I/O.

mod acme;
mod agones;
mod certificate;
mod cluster;
mod contact;
mod exposure;
mod finding;
mod identity;
mod machine;
mod ports;
mod snapshots;
mod sockets;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use clap::Args;
use mp_identity::{HttpMethod, HttpRequest, HttpUrl};

use crate::args::SettingArgs;
use crate::config::{self, Config};
use crate::http_client::HttpClient;
use crate::{Failure, output};

use self::acme::AcmeFacts;
use self::agones::AgonesFacts;
use self::certificate::CertificateFacts;
use self::cluster::ClusterFacts;
use self::contact::ContactFacts;
use self::exposure::ExposureFacts;
use self::finding::{Finding, Report};
use self::identity::IdentityFacts;
use self::machine::MachineFacts;
use self::ports::PortFacts;
use self::snapshots::SnapshotFacts;
use self::sockets::SocketFacts;

/// Check the machine and the configuration, and print what to do
///
/// Takes the same file, environment variables and flags as a start. Run it as the user of the
/// server, and in its service or container, whose limits may differ. It opens each port for a
/// moment, and requests the keys or the service of [identity] once; it changes nothing.
///
/// Exit codes: 0 without errors, also with warnings; 1 with errors; 3 if the result cannot be
/// printed.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,

    /// Name by which players reach the server, which the certificate must have; may be repeated
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,

    #[command(flatten)]
    settings: SettingArgs,
}

/// Runs the command.
pub(crate) fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let sources = args.settings.sources(config::find(args.settings.file.clone()));
    let findings = match Config::load(sources) {
        Ok(config) => examine(&config, &args.names)?,
        Err(errors) => vec![Finding::error(
            "configuration",
            errors.to_string(),
            "the server does not start; the other checks need a valid configuration",
            "correct the settings, and see: mp-server config check",
        )],
    };
    let report = Report::new(findings);
    let unprinted =
        |error: &dyn std::fmt::Display| Failure::Unprinted(format!("cannot print: {error}"));
    let text = match args.json {
        true => report.json().map_err(|error| unprinted(&error))?,
        false => report.to_string(),
    };
    output::print(io::stdout(), text).map_err(|error| unprinted(&error))?;
    match report.errors() {
        0 => Ok(()),
        1 => Err(Failure::Unfit("1 error".to_owned())),
        errors => Err(Failure::Unfit(format!("{errors} errors"))),
    }
}

/// Runs all checks.
fn examine(config: &Config, names: &[String]) -> Result<Vec<Finding>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Refused(format!("cannot start: {error}")))?;
    let (is_running, identity, sidecar, authority) = runtime.block_on(async {
        let is_running = is_running(config).await;
        let (identity, sidecar) =
            (IdentityFacts::gather(config).await, AgonesFacts::gather(config).await);
        (is_running, identity, sidecar, AcmeFacts::gather(config).await)
    });
    let mut findings = ports::check(&PortFacts::gather(config, is_running));
    findings.extend(sockets::check(&SocketFacts::gather(config)));
    findings.extend(machine::check(&MachineFacts::gather(config)));
    let mut all_names: Vec<_> =
        config.matchmaking.public_host.iter().chain(names).cloned().collect();
    all_names.dedup();
    if let Some(facts) = CertificateFacts::gather(config, &all_names) {
        findings.extend(certificate::check(&facts));
    }
    findings.extend(authority.iter().flat_map(acme::check));
    findings.push(identity::check(&identity));
    findings.extend(exposure::check(&ExposureFacts::gather(config)));
    findings.extend(agones::check(&sidecar));
    findings.extend(snapshots::check(&SnapshotFacts::gather(config)));
    findings.extend(cluster::check(&runtime.block_on(ClusterFacts::gather(config))));
    findings.extend(contact::check(&ContactFacts::gather(config)));
    Ok(findings)
}

/// Returns whether a server responds at the admin address, whose ports are then in use.
async fn is_running(config: &Config) -> bool {
    let Some(mut address) = config.admin.address.map(|it| it.socket_addr()) else { return false };
    if address.ip().is_unspecified() {
        let loopback: IpAddr = match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(loopback);
    }
    let Ok(url) = HttpUrl::new(&format!("http://{address}/livez")) else { return false };
    let Ok(client) = HttpClient::for_url(&url) else { return false };
    let response = client.send(HttpRequest::new(HttpMethod::Get, url)).await;
    response.is_ok_and(|response| response.status == 200 && response.body == b"live\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn page_for_operators_lists_all_checks() {
        let sources = [
            include_str!("acme.rs"),
            include_str!("agones.rs"),
            include_str!("certificate.rs"),
            include_str!("cluster.rs"),
            include_str!("contact.rs"),
            include_str!("exposure.rs"),
            include_str!("identity.rs"),
            include_str!("machine.rs"),
            include_str!("ports.rs"),
            include_str!("snapshots.rs"),
            include_str!("sockets.rs"),
        ];
        let names = sources.iter().flat_map(|source| source.lines()).filter_map(|line| {
            let (_, value) = line.strip_prefix("const ")?.split_once(": &str = \"")?;
            value.strip_suffix("\";")
        });
        let page = include_str!("../../../../docs/operating/doctor.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        assert_eq!(rows.collect::<BTreeSet<_>>(), names.collect::<BTreeSet<_>>());
    }
}
