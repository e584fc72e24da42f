//! The description of the API, and what it says of requests and responses.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::http::Request;
use super::{ALL, AdminServer};

/// Returns the description of each operation, with its path and method.
fn operations(server: &AdminServer) -> Vec<(String, Value)> {
    let openapi = Request::new("GET", "/v1/openapi.json").send(server.address).json();
    let mut operations = Vec::new();
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations.push((format!("{method} {path}"), operation.clone()));
        }
    }
    operations
}

#[test]
fn operations_have_names_of_their_own() {
    let operations = operations(&AdminServer::start());
    let names = operations.iter().map(|(_, it)| it["operationId"].as_str().unwrap());
    assert_eq!(names.collect::<BTreeSet<_>>().len(), operations.len());
}

#[test]
fn errors_are_described_as_problems() {
    for (operation, description) in operations(&AdminServer::start()) {
        let schema = &description["responses"]["default"]["content"]["application/problem+json"];
        assert_eq!(schema["schema"]["$ref"], "#/components/schemas/Problem", "{operation}");
    }
}

#[test]
fn arrays_in_place_of_objects_are_refused() {
    let server = AdminServer::in_development();
    let send = |method, path, body: Value| {
        Request::new(method, path).token(ALL).json(&body).send(server.address).outcome()
    };
    let invalid = (422, "invalid_body".to_owned());
    assert_eq!(send("PATCH", "/v1/rooms/default", json!([null, null])), invalid);
    let link = "/v1/rooms/default/peers/2/link";
    assert_eq!(send("PUT", link, json!({"to_player": [0.1]})), invalid);
    assert_eq!(send("PUT", link, json!({"to_player": {}})).1, "unknown_peer");
}

#[test]
fn whole_numbers_may_have_a_fraction_of_zero() {
    let server = AdminServer::start();
    let set = |max| {
        let request = Request::new("PATCH", "/v1/rooms/default").token(ALL);
        request.json(&json!({"max_players": max})).send(server.address)
    };
    assert_eq!(set(json!(8.0)).json()["max_players"], 8);
    assert_eq!(set(json!(8.5)).outcome(), (422, "invalid_body".to_owned()));
}
