//! Structs and enums as values of Godot.
#![cfg(feature = "macros")]
#![allow(missing_docs, reason = "a test")]

use mp::core::variant::{Dictionary, FromVariant, Vector2};
use mp::prelude::*;

#[derive(Clone, Debug, PartialEq, FromVariant, ToVariant)]
struct Item {
    name: String,
    #[variant(rename = "amount")]
    count: u8,
    note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, FromVariant, ToVariant)]
struct Meters(f64);

#[derive(Clone, Debug, PartialEq, FromVariant, ToVariant)]
struct Step(Vector2, Meters);

#[derive(Clone, Debug, PartialEq, FromVariant, ToVariant)]
enum Action {
    Wait,
    Walk(Step),
    #[variant(rename = "say")]
    Speak {
        text: String,
    },
    Swap(i64, i64),
}

#[derive(Clone, Copy, Debug, PartialEq, FromVariant, ToVariant)]
#[variant(int)]
enum Team {
    Red = 1,
    Blue,
}

fn item() -> Item {
    Item { name: "coin".into(), count: 3, note: None }
}

fn round_trip<T: FromVariant + Into<Variant> + Clone + PartialEq + std::fmt::Debug>(value: T) {
    let variant: Variant = value.clone().into();
    assert_eq!(T::from_variant(variant), Ok(value));
}

#[test]
fn values_have_the_form_that_scripts_expect() {
    let fields: [(&str, Variant); 3] =
        [("name", "coin".into()), ("amount", 3.into()), ("note", Variant::Nil)];
    assert_eq!(Variant::from(item()), Dictionary::from(fields).into());
    assert_eq!(Variant::from(Meters(1.5)), Variant::Float(1.5));
    let step: Vec<Variant> = vec![Vector2 { x: 1.0, y: 2.0 }.into(), 0.5.into()];
    let walk = Step(Vector2 { x: 1.0, y: 2.0 }, Meters(0.5));
    assert_eq!(Variant::from(walk.clone()), step.clone().into());
    assert_eq!(Variant::from(Action::Wait), "Wait".into());
    let walk = Variant::from(Action::Walk(walk));
    assert_eq!(walk, Dictionary::from([("Walk", Variant::from(step))]).into());
    let speak = Variant::from(Action::Speak { text: "hi".into() });
    let content = Variant::from(Dictionary::from([("text", "hi")]));
    assert_eq!(speak, Dictionary::from([("say", content)]).into());
    assert_eq!(Variant::from(Team::Blue), Variant::Int(2));
}

#[test]
fn derived_values_round_trip() {
    round_trip(item());
    round_trip(Item { note: Some("shiny".into()), ..item() });
    let step = Step(Vector2 { x: 1.0, y: 2.0 }, Meters(0.5));
    round_trip(step.clone());
    round_trip(Action::Wait);
    round_trip(Action::Walk(step));
    round_trip(Action::Speak { text: "hi".into() });
    round_trip(Action::Swap(1, 2));
    round_trip(Team::Red);
}

#[test]
fn option_may_be_missing_and_further_keys_are_ignored() {
    let fields: [(&str, Variant); 3] =
        [("name", "coin".into()), ("amount", 3.into()), ("color", "gold".into())];
    assert_eq!(Item::from_variant(Dictionary::from(fields).into()), Ok(item()));
}

#[test]
fn error_names_the_part_that_is_missing_or_wrong() {
    fn error<T: FromVariant + std::fmt::Debug>(value: impl Into<Variant>) -> String {
        T::from_variant(value.into()).unwrap_err().to_string()
    }
    assert_eq!(error::<Item>(Dictionary::from([("name", "coin")])), "Item needs \"amount\"");
    let fields: [(&str, Variant); 2] = [("name", "coin".into()), ("amount", 300.into())];
    assert_eq!(error::<Item>(Dictionary::from(fields)), "amount: int 300 is out of range for u8");
    assert_eq!(error::<Item>(7), "expected Dictionary, got int");
    assert_eq!(error::<Step>(vec![Variant::from(Vector2::default())]), "Step needs \"1\"");
    assert_eq!(error::<Action>("Fly"), "Action has no variant Fly");
    let long = "x".repeat(1_000);
    assert_eq!(error::<Action>(&*long).len(), "Action has no variant ".len() + 64);
    assert_eq!(error::<Team>(3), "Team has no variant 3");
}
