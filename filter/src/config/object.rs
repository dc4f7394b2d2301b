//! A JSON object in which nothing stands twice: serde_json's own map would take the last without a word.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

/// The fields of the object.
pub(super) struct Object(pub(super) Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut fields = Map::new();
        while let Some((field, value)) = map.next_entry::<String, Value>()? {
            if fields.contains_key(&field) {
                return Err(A::Error::custom(format_args!("`{field}` is there again")));
            }
            fields.insert(field, value);
        }
        Ok(Object(fields))
    }
}
