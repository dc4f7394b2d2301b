//! What a configuration's value may be: Apache Kafka's types, checks and words (`ConfigDef.java`).

use kafka_protocol::error::ResponseError;

use crate::topics::change::Refused;

/// The type of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A 32-bit number, at least so much.
    Int(i32),
    /// A 64-bit number, at least so much.
    Long(i64),
    /// One of these.
    Word(&'static [&'static str]),
    /// Any of these, separated by commas.
    Words(&'static [&'static str]),
}

impl Kind {
    /// As DescribeConfigs names it (`DescribeConfigsResponse.ConfigType`).
    pub fn code(self) -> i8 {
        match self {
            Kind::Boolean => 1,
            Kind::Word(_) => 2,
            Kind::Int(_) => 3,
            Kind::Long(_) => 5,
            Kind::Words(_) => 7,
        }
    }

    /// The value as Kafka tells it back, or Kafka's words against it.
    pub fn normal(self, name: &str, value: &str) -> Result<String, Refused> {
        let value = value.trim();
        match self {
            Kind::Boolean => match value.to_ascii_lowercase().as_str() {
                "true" => Ok("true".to_owned()),
                "false" => Ok("false".to_owned()),
                _ => Err(invalid(name, value, "Expected value to be either true or false")),
            },
            Kind::Int(least) => match value.parse::<i32>() {
                Ok(number) if number >= least => Ok(number.to_string()),
                Ok(_) => Err(invalid(name, value, &format!("Value must be at least {least}"))),
                Err(_) => Err(invalid(name, value, "Not a number of type INT")),
            },
            Kind::Long(least) => match value.parse::<i64>() {
                Ok(number) if number >= least => Ok(number.to_string()),
                Ok(_) => Err(invalid(name, value, &format!("Value must be at least {least}"))),
                Err(_) => Err(invalid(name, value, "Not a number of type LONG")),
            },
            Kind::Word(words) if words.contains(&value) => Ok(value.to_owned()),
            Kind::Words(words) => {
                let mut given: Vec<&str> = Vec::new();
                for word in split(value) {
                    if !words.contains(&word) {
                        return Err(not_among(name, value, words));
                    }
                    if !given.contains(&word) {
                        given.push(word);
                    }
                }
                Ok(given.join(","))
            }
            Kind::Word(words) => Err(not_among(name, value, words)),
        }
    }
}

/// The members of a list.
pub fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// `INVALID_CONFIG` in the words of Kafka's `ConfigException`.
pub fn invalid(name: &str, value: &str, why: &str) -> Refused {
    Refused::because(ResponseError::InvalidConfig, format!("Invalid value {value} for configuration {name}: {why}"))
}

fn not_among(name: &str, value: &str, words: &[&str]) -> Refused {
    invalid(name, value, &format!("String must be one of: {}", words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(kind: Kind, value: &str) -> String {
        kind.normal("x", value).unwrap_err().message.unwrap()
    }

    #[test]
    fn values_are_told_back_as_apache_kafka_does() {
        assert_eq!(Kind::Int(0).normal("x", " 5 ").unwrap(), "5");
        assert_eq!(Kind::Boolean.normal("x", "TRUE").unwrap(), "true");
        assert_eq!(Kind::Words(&["a", "b"]).normal("x", " b , a,b").unwrap(), "b,a");
        assert_eq!(Kind::Words(&["a", "b"]).normal("x", "").unwrap(), "");
    }

    #[test]
    fn refusals_are_in_apache_kafkas_words() {
        assert_eq!(words(Kind::Long(-1), "-5"), "Invalid value -5 for configuration x: Value must be at least -1");
        assert_eq!(words(Kind::Long(-1), "y"), "Invalid value y for configuration x: Not a number of type LONG");
        assert_eq!(
            words(Kind::Int(0), "99999999999"),
            "Invalid value 99999999999 for configuration x: Not a number of type INT"
        );
        assert_eq!(
            words(Kind::Boolean, "y"),
            "Invalid value y for configuration x: Expected value to be either true or false"
        );
        for kind in [Kind::Word(&["a", "b"]), Kind::Words(&["a", "b"])] {
            assert_eq!(words(kind, "y"), "Invalid value y for configuration x: String must be one of: a, b");
        }
    }
}
