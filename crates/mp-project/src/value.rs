//! Values in Godot's text format.

/// A value in a `.tscn`, `.tres` or `project.godot`, as it is written.
///
/// ```
/// use mp_project::Value;
///
/// let value: Value = "Array[int]([1, 2])".parse()?;
/// assert_eq!(value.items().map(<[Value]>::len), Some(2));
/// assert_eq!("Vector2(1, -2.5)".parse::<Value>()?.constructor(), Some("Vector2"));
/// # Ok::<(), mp_project::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `null`.
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number with a point or exponent, `inf`, `inf_neg` or `nan`. Also an integer that does not
    /// fit into 64 bits.
    Float(f64),
    /// `"text"`.
    String(String),
    /// `&"text"`.
    StringName(String),
    /// `NodePath("a/b:c")` or `^"a/b:c"`.
    NodePath(String),
    /// `[a, b]`.
    Array(Vec<Self>),
    /// `{a: b}`, in the order of the file.
    Dictionary(Vec<(Self, Self)>),
    /// `Name(…)`, or `Name[Type](…)` for typed containers.
    Constructor(Box<Constructor>),
}

/// A value of the form `Name(a, b)`: a vector or other built-in type, a reference to a resource, a
/// typed container, or an object.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Constructor {
    /// Name, for example `Vector2` or `ExtResource`.
    pub name: String,
    /// Types of a typed array or dictionary, as values: `int` has no arguments.
    pub types: Vec<Value>,
    /// Arguments. The properties `"name": value` of an `Object` are a dictionary, the last one.
    pub arguments: Vec<Value>,
}

impl Value {
    /// Returns the boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the integer.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the number, which may be an integer.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the text of a string, string name or node path.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::StringName(text) | Self::NodePath(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the items of an array, a typed array, or a packed array that is written as a list.
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            Self::Constructor(call) if call.name == "Array" => call.arguments.first()?.items(),
            Self::Constructor(call)
                if call.name.starts_with("Packed") || call.name.starts_with("Pool") =>
            {
                Some(&call.arguments)
            }
            _ => None,
        }
    }

    /// Returns the entries of a dictionary or typed dictionary, in the order of the file.
    pub fn entries(&self) -> Option<&[(Self, Self)]> {
        match self {
            Self::Dictionary(entries) => Some(entries),
            Self::Constructor(call) if call.name == "Dictionary" => {
                call.arguments.first()?.entries()
            }
            _ => None,
        }
    }

    /// Returns `Name` of `Name(…)`.
    pub fn constructor(&self) -> Option<&str> {
        match self {
            Self::Constructor(call) => Some(&call.name),
            _ => None,
        }
    }

    /// Returns the id of `ExtResource(id)`.
    pub fn ext_resource(&self) -> Option<String> {
        self.reference("ExtResource")
    }

    /// Returns the id of `SubResource(id)`.
    pub fn sub_resource(&self) -> Option<String> {
        self.reference("SubResource")
    }

    fn reference(&self, name: &str) -> Option<String> {
        match self {
            Self::Constructor(call) if call.name == name => id(call.arguments.first()?),
            _ => None,
        }
    }
}

/// Returns the id of a resource: a string, or in Godot 3 a number.
pub(crate) fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(id) => Some(id.clone()),
        Value::Int(id) => Some(id.to_string()),
        _ => None,
    }
}
