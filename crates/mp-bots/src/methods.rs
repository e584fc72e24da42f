//! RPC methods of nodes by path, from the scenario or the game's Godot project.

use std::rc::Rc;

use mp_core::{Channel, TransferMode};
use mp_project::Project;
use mp_scene::rpc::{RpcConfig, RpcIds};
use mp_toml::did_you_mean;

use crate::scenario::{MethodSource, Scenario, Step};

/// The methods of all known nodes.
#[derive(Clone, Debug, Default)]
pub struct MethodTables {
    nodes: Vec<NodeTable>,
    has_project: bool,
}

/// The methods of the nodes at a path.
#[derive(Clone, Debug)]
struct NodeTable {
    /// Path relative to the multiplayer root; `*` matches one name.
    path: String,
    methods: Vec<(String, RpcConfig)>,
}

/// The reason why the methods of a scenario are unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
#[non_exhaustive]
pub struct MethodsError(String);

impl MethodTables {
    /// Reads the methods of the scenario's nodes, and of the main scene and the autoloads of its
    /// project.
    ///
    /// # Errors
    ///
    /// If the project cannot be read, or a step calls an unknown node or method.
    pub fn load(scenario: &Scenario) -> Result<Self, MethodsError> {
        let project = scenario.project.as_ref().map(Project::open).transpose();
        let project = project.map_err(|error| MethodsError(error.to_string()))?;
        let mut tables = Self { nodes: Vec::new(), has_project: project.is_some() };
        for node in &scenario.nodes {
            let methods = match (&node.source, &project) {
                (MethodSource::Names(names), _) => {
                    names.iter().map(|name| (name.clone(), RpcConfig::any_peer())).collect()
                }
                (MethodSource::Script(script), Some(project)) => {
                    let script = project.script(script);
                    methods_of(&script.map_err(|error| MethodsError(error.to_string()))?)
                }
                (MethodSource::Script(script), None) => {
                    return Err(MethodsError(format!(
                        "cannot read {script}: no project is given; pass --project DIR, or write project = \"DIR\" in the scenario"
                    )));
                }
            };
            tables.nodes.push(NodeTable { path: node.path.clone(), methods });
        }
        if let Some(project) = &project {
            tables.add_project(project).map_err(|error| MethodsError(error.to_string()))?;
        }
        tables.check(scenario)?;
        Ok(tables)
    }

    /// Adds the nodes that exist when the game starts.
    fn add_project(&mut self, project: &Project) -> Result<(), mp_project::Error> {
        let settings = project.settings()?;
        let scenes = settings.main_scene().map(|path| (None, path));
        let autoloads = settings.autoloads().iter().map(|it| (Some(it.name.as_str()), &*it.path));
        for (name, path) in scenes.into_iter().chain(autoloads) {
            if path.ends_with(".gd") {
                let methods = methods_of(&project.script(path)?);
                self.nodes.push(NodeTable { path: name.unwrap_or_default().to_owned(), methods });
                continue;
            }
            let scene = project.scene(path)?;
            let root = scene.nodes().first().map_or("", |root| root.name());
            let root = name.unwrap_or(root);
            for node in scene.nodes() {
                let Some(script) = node.script() else { continue };
                let path = match node.path() {
                    "." => root.to_owned(),
                    path => format!("{root}/{path}"),
                };
                self.nodes.push(NodeTable { path, methods: methods_of(script) });
            }
        }
        Ok(())
    }

    /// Returns an error if a step calls an unknown node or method.
    fn check(&self, scenario: &Scenario) -> Result<(), MethodsError> {
        let calls = scenario.steps.iter().filter_map(|step| match step {
            Step::Call(call) => Some(call),
            _ => None,
        });
        for call in calls {
            // Ids stand for the placeholders.
            let path = call.path.fill(1, 2);
            let Some(node) = self.nodes.iter().find(|node| matches(&node.path, &path)) else {
                let way_out = match self.has_project {
                    true => "add [[node]] with `path` and `script`, as for nodes that are spawned",
                    false => {
                        "pass --project DIR, or add [[node]] with `path` and the names of all `methods`"
                    }
                };
                return Err(MethodsError(format!(
                    "the methods of the node {:?} are unknown; {way_out}",
                    call.path.0
                )));
            };
            let names = || node.methods.iter().map(|(name, _)| name.as_str());
            for method in [Some(&call.method), call.reply.as_ref()].into_iter().flatten() {
                if !names().any(|name| name == method) {
                    let near = did_you_mean(method, names()).map_or_else(
                        || format!("it has {}", names().collect::<Vec<_>>().join(", ")),
                        |near| format!("did you mean {near}?"),
                    );
                    return Err(MethodsError(format!(
                        "the node {:?} has no RPC method {method}; {near}",
                        call.path.0
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Returns whether `pattern` matches a path. A `*` matches one name.
fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(expected), Some(name)) if expected == "*" || expected == name => {}
            _ => return false,
        }
    }
}

fn methods_of(script: &mp_project::Script) -> Vec<(String, RpcConfig)> {
    let methods = script.rpc_methods().iter();
    methods.map(|method| (method.name.clone(), config(&method.config))).collect()
}

fn config(of: &mp_project::RpcConfig) -> RpcConfig {
    let transfer_mode = match of.transfer_mode {
        mp_project::TransferMode::Unreliable => TransferMode::Unreliable,
        mp_project::TransferMode::UnreliableOrdered => TransferMode::UnreliableOrdered,
        _ => TransferMode::Reliable,
    };
    let channel = Channel(u8::try_from(of.channel).unwrap_or_default());
    RpcConfig { transfer_mode, channel, ..RpcConfig::any_peer() }
}

/// The methods of all known nodes, for the bots of one thread.
#[derive(Debug, Default)]
pub(crate) struct NodeTables(Vec<(String, Rc<RpcIds>)>);

impl NodeTables {
    pub(crate) fn new(tables: &MethodTables) -> Self {
        let nodes = tables.nodes.iter().map(|node| {
            let methods = node.methods.iter().map(|(name, config)| (name.as_str(), *config));
            (node.path.clone(), Rc::new(RpcIds::of_methods(methods)))
        });
        Self(nodes.collect())
    }

    /// Returns the methods of the node at `path`, if they are known.
    pub(crate) fn at(&self, path: &str) -> Option<&Rc<RpcIds>> {
        self.0.iter().find(|(pattern, _)| matches(pattern, path)).map(|(_, ids)| ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_one_name() {
        assert!(matches("Main/Players/*", "Main/Players/7"));
        assert!(matches("Main", "Main"));
        for path in ["Main/Players", "Main/Players/7/Gun", "Main/Coins/7"] {
            assert!(!matches("Main/Players/*", path), "{path}");
        }
    }

    #[test]
    fn unknown_nodes_and_methods_are_errors_with_a_way_out() {
        let error = |text: &str| {
            let text =
                format!("phase = [{{ players = 1, joins_per_second = 1, for = '2s' }}]\n{text}");
            let scenario = Scenario::parse("f", &text).unwrap();
            MethodTables::load(&scenario).unwrap_err().to_string()
        };
        let call = "[[do]]\nrpc = 'enter'\npath = 'Main'\n";
        let node = "[[node]]\npath = 'Main'\nmethods = ['entre']\n";
        assert_eq!(
            error(call),
            "the methods of the node \"Main\" are unknown; pass --project DIR, or add [[node]] with `path` and the names of all `methods`"
        );
        assert_eq!(
            error(&format!("{node}{call}")),
            "the node \"Main\" has no RPC method enter; did you mean entre?"
        );
        assert_eq!(
            error("[[node]]\npath = 'Main'\nscript = 'res://main.gd'\n"),
            "cannot read res://main.gd: no project is given; pass --project DIR, or write project = \"DIR\" in the scenario"
        );
    }
}
