//! What configurations are taken, what is said about the others, and that the page tells the truth.
#![cfg(not(target_arch = "wasm32"))]

use isthmus::config::{Config, ConfigError, HostPort, OffsetMode, Setting};
use isthmus::kafka::guard::{MAX_ELEMENTS, MAX_TAGGED_FIELDS};
use isthmus::kafka::header::MAX_HEADER_TAGS;
use isthmus::pulsar::frame::max_frame_bytes;

const PAGE: &str = include_str!("../../docs/configuration.md");

fn read(json: &str) -> Result<Config, ConfigError> {
    Config::from_json(json.as_bytes())
}

/// The whole sentence a user gets about `json`.
fn complaint(json: &str) -> String {
    read(json).expect_err(json).to_string()
}

#[test]
fn nothing_and_an_empty_object_give_the_defaults() {
    for json in ["", " \n", "{}"] {
        assert_eq!(read(json), Ok(Config::default()), "{json:?}");
    }
}

#[test]
fn the_defaults_keep_their_own_rules() {
    let fields: Vec<_> = Config::settings()
        .iter()
        .map(|setting| {
            let json = setting.default.split('`').nth(1).unwrap();
            format!("{:?}: {json}", setting.name)
        })
        .collect();
    assert_eq!(read(&format!("{{{}}}", fields.join(","))), Ok(Config::default()));
}

#[test]
fn every_kind_of_field_is_read() {
    let config = read(
        r#"{
            "tenant": "acme", "offsets": "message-id", "auto_create_topics": false, "default_partitions": 12,
            "max_request_bytes": 1048576,
            "broker_addresses": {"pulsar-0:6650": "kafka-0.example:9092"},
            "broker_address_pattern": "{host}:9092",
            "node_ids": {"kafka-0.example:9092": 0},
            "pulsar_auth_method": "token", "pulsar_auth_data": "secret"
        }"#,
    )
    .unwrap();

    let address = |text: &str| text.parse::<HostPort>().unwrap();
    assert_eq!(config.tenant, "acme");
    assert_eq!(config.offsets, OffsetMode::MessageId);
    assert!(!config.auto_create_topics);
    assert_eq!(config.default_partitions, 12);
    assert_eq!(config.max_request_bytes, 1 << 20);
    assert_eq!(config.broker_addresses[&address("pulsar-0:6650")], address("kafka-0.example:9092"));
    let pattern = config.broker_address_pattern.unwrap();
    assert_eq!(pattern.resolve(&address("pulsar-1:6650")), Ok(address("pulsar-1:9092")));
    assert_eq!(config.node_ids[&address("kafka-0.example:9092")], 0);
    assert_eq!(config.pulsar_auth_data.unwrap().expose(), "secret");
    assert_eq!(config.namespace, "default");
}

#[test]
fn an_unknown_field_is_named() {
    assert_eq!(
        complaint(r#"{"tennant": "x"}"#),
        "configuration: there is no field `tennant`; docs/configuration.md lists those there are"
    );
}

#[test]
fn a_field_of_the_wrong_type_is_named_with_what_it_may_be() {
    assert_eq!(
        complaint(r#"{"default_partitions": "three"}"#),
        "configuration: `default_partitions` must be 1 to 10000: invalid type: string \"three\", expected u32"
    );
}

#[test]
fn what_is_no_object_is_refused() {
    for json in ["[]", "null", "{", "{} {}", "tenant=public"] {
        assert!(complaint(json).starts_with("configuration: must be a JSON object with each field once: "), "{json}");
    }
}

#[test]
fn a_field_that_stands_there_twice_is_refused() {
    assert!(complaint(r#"{"tenant": "a", "tenant": "b"}"#).contains("each field once: `tenant` is there again"));
}

#[test]
fn values_past_their_bounds_are_refused_and_the_bounds_are_taken() {
    let bounds = [
        ("default_partitions", 1_u64, 10_000_u64),
        ("request_timeout_ms", 100, 600_000),
        ("max_in_flight_requests", 1, 10_000),
        ("max_fetch_bytes", 1 << 10, 128 << 20),
        ("max_decompressed_bytes", 1 << 20, 256 << 20),
        ("prefetch_bytes_per_worker", 6 << 20, 512 << 20),
        ("max_connections_per_worker", 1, 1_000_000),
    ];
    for (field, least, most) in bounds {
        let with = |value: u64| read(&format!("{{{field:?}: {value}}}"));
        assert!(with(least).is_ok() && with(most).is_ok(), "{field}");
        for beyond in [least - 1, most + 1] {
            let error = with(beyond).unwrap_err().to_string();
            assert!(error.contains(&format!("`{field}` must be ")), "{error}");
            assert!(error.ends_with(&format!(": it is {beyond}")), "{error}");
        }
    }
}

#[test]
fn values_that_mean_nothing_are_refused() {
    let wrong = [
        r#"{"tenant": ""}"#,
        r#"{"namespace": "a/b"}"#,
        r#"{"offsets": "dense"}"#,
        r#"{"cluster_id": ""}"#,
        r#"{"advertised_listener": "my listener"}"#,
        r#"{"broker_addresses": {"pulsar-0": "kafka-0:9092"}}"#,
        r#"{"broker_addresses": {"pulsar-0:6650": "kafka-0:0"}}"#,
        r#"{"broker_address_pattern": "gateway:9092"}"#,
        r#"{"node_ids": {"k:1": -1}}"#,
        r#"{"node_ids": {"k:1": 5, "k:2": 5}}"#,
        r#"{"default_partitions": -1}"#,
        r#"{"default_partitions": 1.5}"#,
        r#"{"auto_create_topics": "yes"}"#,
    ];
    for json in wrong {
        let field = json.split('"').nth(1).unwrap();
        assert!(complaint(json).starts_with(&format!("configuration: `{field}` must be ")), "{json}");
    }
}

#[test]
fn fields_that_contradict_each_other_are_refused() {
    let wrong = [
        (r#"{"pulsar_auth_method": "token"}"#, "pulsar_auth_data"),
        (r#"{"max_request_bytes": 67108864}"#, "max_held_bytes_per_connection"),
        (r#"{"max_held_bytes_per_worker": 1048576}"#, "max_held_bytes_per_connection"),
    ];
    for (json, other) in wrong {
        assert!(complaint(json).contains(other), "{json}");
    }
}

#[test]
fn a_secret_is_not_printed() {
    let json = r#"{"admin_token": "s3cret", "pulsar_auth_method": "basic", "pulsar_auth_data": "u:s3cret"}"#;
    let printed = format!("{:?}", read(json).unwrap());
    assert!(!printed.contains("s3cret"), "{printed}");
}

/// A setting as its row of the page.
fn row(setting: &Setting) -> String {
    let Setting { name, bound, default, meaning } = setting;
    format!("| `{name}` | {bound} | {default} | {meaning} |")
}

#[test]
fn the_page_lists_every_setting_with_default_and_bound_and_no_other() {
    let expected: Vec<_> = Config::settings().iter().map(row).collect();
    let on_the_page: Vec<_> = PAGE.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(on_the_page, expected, "docs/configuration.md must have these rows:\n{}\n", expected.join("\n"));
}

#[test]
fn the_page_lists_the_bounds_that_cannot_be_set() {
    let bounds = [
        ("Array elements in one request", MAX_ELEMENTS),
        ("Tagged fields in one request", MAX_TAGGED_FIELDS),
        ("Tagged fields in a request's header", MAX_HEADER_TAGS),
        ("Frame from Pulsar beyond", max_frame_bytes(0)),
    ];
    for (bound, value) in bounds {
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| {bound}"))).expect(bound);
        assert_eq!(row.split(&[' ', '|']).filter_map(|word| word.parse().ok()).next(), Some(value), "{row}");
    }
}

#[test]
fn the_examples_of_the_page_are_taken() {
    let examples: Vec<_> = PAGE.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        assert!(read(example).is_ok(), "{example}: {:?}", read(example));
    }
}
