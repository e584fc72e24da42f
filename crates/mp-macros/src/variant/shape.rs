//! The form in which a type is a value of Godot.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, Ident, LitStr, Result, Type};

/// A type.
pub(super) enum Shape {
    Struct(Content),
    /// Strings, or dictionaries with one key for variants with content.
    Enum(Vec<EnumVariant>),
    /// The numbers of the variants.
    IntEnum(Vec<Ident>),
}

/// A variant of an enum.
pub(super) struct EnumVariant {
    pub(super) ident: Ident,
    /// The name in Godot.
    pub(super) name: String,
    pub(super) content: Content,
}

/// The fields of a struct or variant.
pub(super) enum Content {
    Unit,
    /// The value of the field itself.
    Newtype(Box<Type>),
    /// An array.
    Tuple(Vec<Type>),
    /// A dictionary.
    Named(Vec<NamedField>),
}

/// A field with its key in the dictionary.
pub(super) struct NamedField {
    pub(super) ident: Ident,
    pub(super) key: String,
    pub(super) ty: Type,
}

/// The words of `#[variant(…)]`.
#[derive(Default)]
struct Words {
    rename: Option<LitStr>,
    is_int: bool,
}

impl Shape {
    pub(super) fn of(input: &DeriveInput) -> Result<Self> {
        let words = Words::parse(&input.attrs, &["int"])?;
        let data = match &input.data {
            Data::Struct(data) if !words.is_int => {
                return Content::of(&data.fields).map(Self::Struct);
            }
            Data::Enum(data) => data,
            Data::Struct(_) => {
                let text = "int is for enums, whose variants are numbers";
                return Err(Error::new(input.ident.span(), text));
            }
            Data::Union(_) => {
                let text = "a union is no value of Godot";
                return Err(Error::new(input.ident.span(), text));
            }
        };
        if words.is_int {
            let variants = data.variants.iter().map(|variant| match &variant.fields {
                Fields::Unit => Ok(variant.ident.clone()),
                fields => Err(Error::new_spanned(fields, "a number has no content: remove int")),
            });
            return variants.collect::<Result<_>>().map(Self::IntEnum);
        }
        let variants = data.variants.iter().map(|variant| {
            let words = Words::parse(&variant.attrs, &["rename"])?;
            let content = Content::of(&variant.fields)?;
            let name = words.name(&variant.ident);
            Ok(EnumVariant { ident: variant.ident.clone(), name, content })
        });
        variants.collect::<Result<_>>().map(Self::Enum)
    }
}

impl Content {
    fn of(fields: &Fields) -> Result<Self> {
        let types = || fields.iter().map(|field| field.ty.clone());
        Ok(match fields {
            Fields::Unit => Self::Unit,
            Fields::Unnamed(_) if fields.len() == 1 => {
                Self::Newtype(Box::new(types().next().expect("a field")))
            }
            Fields::Unnamed(_) => Self::Tuple(types().collect()),
            Fields::Named(named) => {
                Self::Named(named.named.iter().map(NamedField::of).collect::<Result<_>>()?)
            }
        })
    }

    /// Returns the pattern that takes the fields out of a value of type or variant `path`.
    pub(super) fn pattern(&self, path: &TokenStream) -> TokenStream {
        match self {
            Self::Unit => quote!(#path),
            Self::Newtype(_) => quote!(#path(value)),
            Self::Tuple(types) => {
                let names = (0..types.len()).map(|index| format_ident!("value_{index}"));
                quote!(#path(#(#names),*))
            }
            Self::Named(fields) => {
                let names = fields.iter().map(|field| &field.ident);
                quote!(#path { #(#names),* })
            }
        }
    }
}

impl NamedField {
    fn of(field: &Field) -> Result<Self> {
        let ident = field.ident.clone().expect("a field with a name");
        let key = Words::parse(&field.attrs, &["rename"])?.name(&ident);
        Ok(Self { ident, key, ty: field.ty.clone() })
    }
}

impl Words {
    fn parse(attrs: &[Attribute], allowed: &[&str]) -> Result<Self> {
        let mut words = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("variant")) {
            attr.parse_nested_meta(|word| {
                if word.path.is_ident("rename") && allowed.contains(&"rename") {
                    words.rename = Some(word.value()?.parse()?);
                } else if word.path.is_ident("int") && allowed.contains(&"int") {
                    words.is_int = true;
                } else {
                    let text = "#[variant(…)] takes rename = \"name\" on a field or variant, and \
                                int on an enum";
                    return Err(word.error(text));
                }
                Ok(())
            })?;
        }
        Ok(words)
    }

    fn name(self, ident: &Ident) -> String {
        self.rename.map_or_else(|| ident.unraw().to_string(), |name| name.value())
    }
}
