//! The files of a cluster in containers: for Compose, and for Kubernetes with Agones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mp_server::config::{Config, Transport};
use serde_json::Value;

use super::packaged;
use crate::server::command;

/// A container with the server.
#[derive(Debug, Default)]
struct Container {
    arguments: Vec<String>,
    /// Names of variables that begin with `MP_`, and values.
    environment: BTreeMap<String, String>,
    /// Ports with their protocol, such as `7777/udp`.
    ports: BTreeSet<String>,
    /// Paths of files that the container has from this folder, and their names there.
    files: BTreeMap<String, String>,
}

/// Returns the documents of a YAML file of the folder.
fn documents(name: &str) -> Vec<Value> {
    let text = packaged(&format!("cluster/{name}"));
    let parse = |text: &str| serde_saphyr::from_str(text);
    let parsed = text.split("\n---\n").map(parse).collect::<Result<_, _>>();
    parsed.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Returns the document of a kind.
fn of_kind(name: &str, kind: &str) -> Value {
    let mut all = documents(name).into_iter();
    all.find(|it| it["kind"] == kind).unwrap_or_else(|| panic!("{name} has no {kind}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().map(text).collect()
}

/// Returns a service of Compose with the values that it has from its anchor.
fn service(compose: &Value, name: &str) -> Value {
    let own = &compose["services"][name];
    let mut merged = own["<<"].as_object().cloned().unwrap_or_default();
    merged.extend(own.as_object().cloned().unwrap_or_default());
    merged.into()
}

impl Container {
    fn of_compose(service: &Value) -> Self {
        let mut container = Self { arguments: texts(&service["command"]), ..Self::default() };
        for (name, value) in service["environment"].as_object().into_iter().flatten() {
            container.environment.insert(name.clone(), text(value));
        }
        for published in texts(&service["ports"]) {
            container.ports.insert(published.split_once(':').expect("a port of both").1.to_owned());
        }
        for volume in texts(&service["volumes"]) {
            if let Some(file) = volume.strip_prefix("./") {
                let (name, path) = file.split_once(':').expect("a path in the container");
                let path = path.strip_suffix(":ro").expect("read-only");
                container.files.insert(path.to_owned(), name.to_owned());
            }
        }
        container
    }

    /// `kustomization` names the files of configuration maps.
    fn of_fleet(fleet: &Value, kustomization: &Value) -> Self {
        let game_server = &fleet["spec"]["template"]["spec"];
        let pod = &game_server["template"]["spec"];
        let of_pod = &pod["containers"][0];
        let mut container = Self { arguments: texts(&of_pod["args"]), ..Self::default() };
        for variable in list(&of_pod["env"]) {
            let value = variable["value"].as_str().unwrap_or("from a secret");
            container.environment.insert(text(&variable["name"]), value.to_owned());
            let secret = &variable["valueFrom"]["secretKeyRef"];
            if !secret.is_null() {
                assert_eq!(secret["name"], kustomization["secretGenerator"][0]["name"]);
                let literal = text(&kustomization["secretGenerator"][0]["literals"][0]);
                assert!(literal.starts_with(&format!("{}=", text(&secret["key"]))), "{literal}");
            }
        }
        for port in list(&game_server["ports"]) {
            let protocol = text(&port["protocol"]).to_lowercase();
            container.ports.insert(format!("{}/{protocol}", port["containerPort"]));
        }
        for mount in list(&of_pod["volumeMounts"]) {
            let volume = list(&pod["volumes"]).iter().find(|it| it["name"] == mount["name"]);
            let volume = volume.unwrap_or_else(|| panic!("there is no volume for {mount}"));
            for file in files_of(&volume["configMap"]["name"], kustomization) {
                container.files.insert(format!("{}/{file}", text(&mount["mountPath"])), file);
            }
        }
        container
    }

    /// Runs the server's `config --effective` as the container does, and returns the output.
    fn effective(&self) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/cluster");
        let mut command = command();
        command.env_remove("MP_ADMIN__ADDRESS").env_remove("MP_SHUTDOWN__DRAIN_TIMEOUT");
        command.args(["config", "--effective"]).envs(&self.environment);
        for argument in &self.arguments {
            match self.files.get(argument) {
                Some(name) => command.arg(folder.join(name)),
                None => command.arg(argument),
            };
        }
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{self:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Checks arguments, variables, the configuration and ports.
    fn check(&self) {
        let effective = self.effective();
        for name in self.environment.keys() {
            assert!(effective.contains(&format!("# environment {name}")), "{name}: {effective}");
        }
        let config = config();
        let ports = config.listen.iter().map(|listener| {
            let is_tcp = listener.transport == Transport::WebSocket;
            format!("{}/{}", listener.address.port, if is_tcp { "tcp" } else { "udp" })
        });
        assert_eq!(self.ports, ports.collect());
    }
}

/// Returns the files of a configuration map.
fn files_of(map: &Value, kustomization: &Value) -> Vec<String> {
    if map.is_null() {
        return Vec::new();
    }
    let generated = list(&kustomization["configMapGenerator"]);
    let generator = generated.iter().find(|it| it["name"] == *map);
    texts(&generator.unwrap_or_else(|| panic!("nothing generates {map}"))["files"])
}

/// Returns the configuration of a server, with a password, which it has from its environment.
fn config() -> Config {
    let text = packaged("cluster/mp-server.toml");
    let with_password = text.replace("user = \"mp\"", "user = \"mp\"\npassword = \"change-me\"");
    Config::parse(&with_password).unwrap()
}

/// Returns the hosts and ports of NATS in the configuration of a server.
fn nats_addresses() -> BTreeSet<String> {
    let servers = config().cluster.servers;
    servers.iter().map(|url| url.strip_prefix("nats://").unwrap().to_owned()).collect()
}

#[test]
fn compose_file_of_a_cluster_fits_the_configuration_of_its_servers() {
    let [compose] = &documents("compose.yaml")[..] else { panic!("one document") };
    let mut published = BTreeSet::new();
    for name in ["node-1", "node-2"] {
        let node = service(compose, name);
        Container::of_compose(&node).check();
        for port in texts(&node["ports"]) {
            assert!(published.insert(port.split(':').next().unwrap().to_owned()), "{port}");
        }
        let grace: u64 = text(&node["stop_grace_period"]).trim_end_matches('s').parse().unwrap();
        assert!(grace > config().shutdown.drain_timeout.as_secs());
        for needed in texts(&node["depends_on"]) {
            assert!(compose["services"][&needed].is_object(), "{needed}");
        }
    }
    let dockerfile = packaged("Dockerfile");
    for (argument, _) in compose["x-node"]["build"]["args"].as_object().unwrap() {
        assert!(dockerfile.contains(&format!("ARG {argument}=")), "{argument}");
    }
    let mut addresses = BTreeSet::new();
    for name in ["nats-0", "nats-1", "nats-2"] {
        let nats = service(compose, name);
        assert_eq!(nats["environment"]["NATS_NAME"], name);
        let alias = text(&nats["networks"]["default"]["aliases"][0]);
        addresses.insert(format!("{alias}:4222"));
        check_nats(&texts(&nats["command"]), &Container::of_compose(&nats).files);
    }
    assert_eq!(addresses, nats_addresses());
}

/// Checks the arguments and the configuration of a NATS server.
fn check_nats(arguments: &[String], files: &BTreeMap<String, String>) {
    let [flag, path] = arguments else { panic!("{arguments:?}") };
    assert_eq!((&**flag, files.get(path).map(String::as_str)), ("--config", Some("nats.conf")));
    let config = packaged("cluster/nats.conf");
    assert!(config.contains("listen: \"0.0.0.0:4222\"\n"), "{config}");
}

#[test]
fn files_for_kubernetes_fit_the_configuration_of_their_servers() {
    let [kustomization] = &documents("kustomization.yaml")[..] else { panic!("one document") };
    assert_eq!(texts(&kustomization["resources"]), ["nats.yaml", "fleet.yaml"]);
    for map in list(&kustomization["configMapGenerator"]) {
        for file in texts(&map["files"]) {
            assert!(!packaged(&format!("cluster/{file}")).is_empty());
        }
    }
    let fleet = of_kind("fleet.yaml", "Fleet");
    let container = Container::of_fleet(&fleet, kustomization);
    container.check();
    assert_eq!(container.environment["MP_AGONES__ENABLED"], "true");
    let game_server = &fleet["spec"]["template"]["spec"];
    let counters = game_server["counters"].as_object().unwrap();
    assert_eq!(counters.keys().collect::<Vec<_>>(), ["players", "rooms"]);
    let grace = &game_server["template"]["spec"]["terminationGracePeriodSeconds"];
    assert!(grace.as_u64().unwrap() > config().shutdown.drain_timeout.as_secs());
    let image = &game_server["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, kustomization["images"][0]["name"]);

    let (nats, headless) = (of_kind("nats.yaml", "StatefulSet"), of_kind("nats.yaml", "Service"));
    let pod = &nats["spec"]["template"];
    for labels in [&nats["spec"]["selector"]["matchLabels"], &headless["spec"]["selector"]] {
        assert_eq!(*labels, pod["metadata"]["labels"]);
    }
    assert_eq!(nats["spec"]["serviceName"], headless["metadata"]["name"]);
    let of_pod = &pod["spec"]["containers"][0];
    let ports =
        |list: &[Value], key: &str| list.iter().map(|it| it[key].clone()).collect::<Vec<_>>();
    let own = ports(list(&of_pod["ports"]), "containerPort");
    assert_eq!(ports(list(&headless["spec"]["ports"]), "port"), own);
    let (set, service) = (text(&nats["metadata"]["name"]), text(&headless["metadata"]["name"]));
    let replicas = nats["spec"]["replicas"].as_u64().unwrap();
    let addresses = (0..replicas).map(|number| format!("{set}-{number}.{service}:{}", own[0]));
    assert_eq!(addresses.collect::<BTreeSet<_>>(), nats_addresses());
    assert_eq!(u64::from(config().cluster.replicas), replicas);
    let mount = text(&of_pod["volumeMounts"][0]["mountPath"]);
    let map = &pod["spec"]["volumes"][0]["configMap"]["name"];
    let files = files_of(map, kustomization);
    let files = files.into_iter().map(|file| (format!("{mount}/{file}"), file)).collect();
    check_nats(&texts(&of_pod["args"]), &files);
}

#[test]
fn yaml_of_the_pages_for_operators_and_of_the_container_is_valid() {
    let single: Value = serde_saphyr::from_str(&packaged("compose.yaml")).unwrap();
    assert!(single["services"]["mp-server"].is_object());
    let page = packaged("../docs/operating/agones.md");
    let block = page.split("\n```yaml\n").nth(1).and_then(|rest| rest.split("\n```").next());
    let game_server: Value = serde_saphyr::from_str(block.unwrap()).unwrap();
    let container = Container::of_fleet(
        &serde_json::json!({ "spec": { "template": game_server } }),
        &Value::Null,
    );
    let defaults = Config::default();
    let ports: Vec<_> = defaults.listen.iter().map(|it| it.address.port.to_string()).collect();
    for port in container.ports {
        assert!(ports.iter().any(|it| port.starts_with(&format!("{it}/"))), "{port}: {ports:?}");
    }
}
