//! Scripts with what they inherit.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::{Error, ErrorKind, Position, Result, SyntaxError};
use crate::gdscript::{self, Class, Constant, Extends, Scope};
use crate::limits::DEPTH_MAX;
use crate::path::{UID, resolve};
use crate::project::Project;
use crate::rpc::{self, RpcConfig, RpcMethod};

/// Maximum number of constants that are followed to find a base class.
const CONSTANTS_MAX: usize = 64;

/// A GDScript with what it inherits.
#[derive(Clone, Debug)]
pub struct Script {
    path: String,
    file: PathBuf,
    class_name: Option<String>,
    bases: Vec<String>,
    native_base: String,
    rpc_methods: Vec<RpcMethod>,
}

impl Script {
    pub(crate) fn load(project: &Project, script: Rc<ParsedScript>) -> Result<Self> {
        let (chain, native_base) = chain(project, ClassRef { script, names: Vec::new() })?;
        let mut methods = BTreeMap::new();
        for class in chain.iter().rev() {
            class.add_methods(&mut methods)?;
        }
        let script = &chain[0].script;
        Ok(Self {
            path: script.path.clone(),
            file: script.file.clone(),
            class_name: script.class.name.clone(),
            bases: chain[1..].iter().map(ClassRef::to_string).collect(),
            native_base,
            rpc_methods: methods.into_values().collect(),
        })
    }

    /// Returns the `res://…` path. A script in a scene has `res://scene.tscn::id`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the absolute path of the file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Returns the `class_name`.
    pub fn class_name(&self) -> Option<&str> {
        self.class_name.as_deref()
    }

    /// Returns the paths of the scripts that this one extends, the nearest first. An inner class
    /// has `res://script.gd::Name`.
    pub fn bases(&self) -> &[String] {
        &self.bases
    }

    /// Returns the class that the last of these scripts extends: a class of the engine or of an
    /// extension. Default: `RefCounted`.
    pub fn native_base(&self) -> &str {
        &self.native_base
    }

    /// Returns the RPC methods, inherited ones included, in the order of their ids: sorted by name,
    /// the first has id 0.
    pub fn rpc_methods(&self) -> &[RpcMethod] {
        &self.rpc_methods
    }

    /// Returns the RPC method of this name.
    pub fn rpc_method(&self, name: &str) -> Option<&RpcMethod> {
        let index = self.rpc_methods.binary_search_by(|it| it.name.as_str().cmp(name)).ok()?;
        self.rpc_methods.get(index)
    }

    /// Returns the checksum of the RPC table, with which Godot detects different tables
    /// (SIMPLIFY_PATH): 32 hexadecimal digits. It covers the names only.
    pub fn rpc_checksum(&self) -> String {
        rpc::checksum(&self.rpc_methods)
    }
}

/// A parsed script file, or script in a scene file.
#[derive(Debug)]
pub(crate) struct ParsedScript {
    path: String,
    file: PathBuf,
    class: Class,
    /// Number of lines of the file before the script.
    lines_before: u32,
}

impl ParsedScript {
    pub(crate) fn parse(path: &str, file: &Path, text: &str, lines_before: u32) -> Result<Self> {
        let (path, file) = (path.to_owned(), file.to_owned());
        let mut script = Self { path, file, class: Class::default(), lines_before };
        script.class = gdscript::parse(text).map_err(|error| script.error(error))?;
        Ok(script)
    }

    fn position(&self, position: Position) -> Position {
        Position { line: position.line.saturating_add(self.lines_before), ..position }
    }

    fn error(&self, mut error: SyntaxError) -> Error {
        error.position = self.position(error.position);
        error.in_file(&self.file)
    }
}

/// The place that names a base class: an `extends`, or the value of a constant.
#[derive(Clone, Copy)]
struct Clause<'a> {
    script: &'a ParsedScript,
    extends: &'a Extends,
}

impl Clause<'_> {
    /// Returns the error that what the clause names does not exist.
    fn missing(&self, message: impl Into<String>) -> Error {
        let position = self.script.position(self.extends.position);
        Error::new(ErrorKind::Missing, &self.script.file, message).at(position)
    }
}

/// A script, or an inner class of one.
#[derive(Clone, Debug)]
struct ClassRef {
    script: Rc<ParsedScript>,
    /// Names of inner classes from the outermost to this one; empty for the script itself.
    names: Vec<String>,
}

/// The base of a class.
enum Base {
    Class(ClassRef),
    Native(String),
}

/// Returns a class with the scripts that it extends, and the native class that the last extends.
fn chain(project: &Project, class: ClassRef) -> Result<(Vec<ClassRef>, String)> {
    let mut chain = vec![class];
    loop {
        let last = &chain[chain.len() - 1];
        let base = match last.base(project)? {
            Base::Native(name) => return Ok((chain, name)),
            Base::Class(base) => base,
        };
        if let Some(start) = chain.iter().position(|it| it.is(&base)) {
            let names: Vec<_> =
                chain[start..].iter().chain([&base]).map(ClassRef::to_string).collect();
            let message = format!("scripts extend each other: {}", names.join(" extends "));
            return Err(chain[start].error(ErrorKind::Cycle, message));
        }
        if chain.len() == DEPTH_MAX {
            let message = format!("more than {DEPTH_MAX} base scripts");
            return Err(chain[0].error(ErrorKind::TooLarge, message));
        }
        chain.push(base);
    }
}

impl ClassRef {
    fn is(&self, other: &Self) -> bool {
        self.script.path == other.script.path && self.names == other.names
    }

    /// Returns an error at the `extends` of the class.
    fn error(&self, kind: ErrorKind, message: String) -> Error {
        let error = Error::new(kind, &self.script.file, message);
        match &self.class().extends {
            Some(extends) => error.at(self.script.position(extends.position)),
            None => error,
        }
    }

    /// Returns the classes whose names are visible in this one, the innermost first.
    fn scope(&self) -> Vec<&Class> {
        let mut classes = vec![&self.script.class];
        for name in &self.names {
            let outer = classes[classes.len() - 1];
            classes.push(outer.classes.get(name).expect("a reference to an existing class"));
        }
        classes.reverse();
        classes
    }

    fn class(&self) -> &Class {
        self.scope()[0]
    }

    /// Adds the RPC methods of the class to those of its bases.
    fn add_methods(&self, methods: &mut BTreeMap<String, RpcMethod>) -> Result<()> {
        let scope = self.scope();
        for (name, function) in &scope[0].functions {
            let config = match &function.rpc {
                Some(rpc) => RpcConfig::evaluate(rpc, Scope(&scope))
                    .map_err(|error| self.script.error(error))?,
                None => match methods.get(name) {
                    Some(base) => base.config,
                    None => continue,
                },
            };
            let method = RpcMethod {
                name: name.clone(),
                config,
                arguments: function.arguments.clone(),
                file: self.script.file.clone(),
                position: self.script.position(function.position),
            };
            methods.insert(name.clone(), method);
        }
        Ok(())
    }

    fn base(&self, project: &Project) -> Result<Base> {
        match &self.class().extends {
            Some(extends) => self.resolve(project, extends, &Cell::new(CONSTANTS_MAX)),
            None => Ok(Base::Native("RefCounted".to_owned())),
        }
    }

    /// Returns the class that `extends` means within this class.
    fn resolve(&self, project: &Project, extends: &Extends, left: &Cell<usize>) -> Result<Base> {
        let clause = Clause { script: &self.script, extends };
        if let Some(path) = &extends.path {
            let script = self.load(project, clause, path)?;
            return script.inner(project, &extends.names, clause, left).map(Base::Class);
        }
        let Some((first, rest)) = extends.names.split_first() else {
            return Err(clause.missing("expected a base class"));
        };
        for depth in (0..=self.names.len()).rev() {
            let names = self.names[..depth].to_vec();
            let outer = Self { script: self.script.clone(), names };
            if let Some(class) = outer.member(project, first, clause, left)? {
                return class.inner(project, rest, clause, left).map(Base::Class);
            }
        }
        if let Some(class) = self.global(project, first, clause)? {
            return class.inner(project, rest, clause, left).map(Base::Class);
        }
        match rest {
            [] => Ok(Base::Native(first.clone())),
            _ => {
                let message = format!("no script of the project has class_name {first}");
                Err(clause.missing(message))
            }
        }
    }

    /// Returns the inner class of this name, or the class that a constant of this name refers to.
    fn member(
        &self,
        project: &Project,
        name: &str,
        clause: Clause<'_>,
        left: &Cell<usize>,
    ) -> Result<Option<Self>> {
        let scope = self.scope();
        if scope[0].classes.contains_key(name) {
            let names = [&self.names[..], &[name.to_owned()]].concat();
            return Ok(Some(Self { script: self.script.clone(), names }));
        }
        let Some(constant) = scope[0].constants.get(name) else { return Ok(None) };
        let Some(fewer) = left.get().checked_sub(1) else {
            let message = format!("more than {CONSTANTS_MAX} constants to a base class");
            return Err(clause.missing(message));
        };
        left.set(fewer);
        let value = constant.evaluate(Scope(&scope)).map_err(|error| self.script.error(error))?;
        match value {
            Constant::Class(class) => match self.resolve(project, &class, left)? {
                Base::Class(class) => Ok(Some(class)),
                Base::Native(_) => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Returns the class behind `.Name` of this class, any number of times.
    fn inner(
        self,
        project: &Project,
        names: &[String],
        clause: Clause<'_>,
        left: &Cell<usize>,
    ) -> Result<Self> {
        let mut class = self;
        for name in names {
            class = match class.member(project, name, clause, left)? {
                Some(inner) => inner,
                None => {
                    let message = format!("{class} has no class {name}");
                    return Err(clause.missing(message));
                }
            };
        }
        Ok(class)
    }

    /// Returns the script with this `class_name`, or of the autoload of this name.
    fn global(&self, project: &Project, name: &str, clause: Clause<'_>) -> Result<Option<Self>> {
        if let Some(path) = project.class_path(name)? {
            return Ok(Some(Self { script: project.parsed_script(path)?, names: Vec::new() }));
        }
        if !project.has_settings() {
            return Ok(None);
        }
        let autoload = project.settings()?.autoload(name).filter(|it| it.is_singleton);
        let Some(autoload) = autoload else { return Ok(None) };
        let path = project.resource_path(Path::new(&autoload.path))?;
        match path.ends_with(".gd") {
            true => self.load(project, clause, &path).map(Some),
            false => Ok(None),
        }
    }

    /// Loads the script at a path that is relative to this script.
    fn load(&self, project: &Project, clause: Clause<'_>, path: &str) -> Result<Self> {
        let resolved = if path.starts_with(UID) {
            project.uid_path(path)?.map(str::to_owned)
        } else {
            resolve(&self.script.path, path)
        };
        let Some(resolved) = resolved else {
            return Err(clause.missing(format!("{path} is not in the project")));
        };
        if !project.file(&resolved).is_file() {
            return Err(clause.missing(format!("{resolved} does not exist")));
        }
        Ok(Self { script: project.parsed_script(&resolved)?, names: Vec::new() })
    }
}

impl std::fmt::Display for ClassRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.script.path)?;
        self.names.iter().try_for_each(|name| write!(f, "::{name}"))
    }
}
