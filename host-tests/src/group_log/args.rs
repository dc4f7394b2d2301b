//! The options of `isthmus-host group-log`.

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args {
    /// The broker that owns the group's topic, `HOST:PORT`.
    pub pulsar: String,
    /// `tenant/namespace` of the groups' topics.
    pub namespace: String,
    /// The group.
    pub group: String,
    /// Method and data shown to the broker.
    pub credentials: Option<(String, String)>,
}

/// Reads the arguments behind `group-log`. `None`: help is asked for.
pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Args>, String> {
    let (mut pulsar, mut group, mut method, mut data) = (None, None, None, None);
    let mut namespace = "public/default".to_string();
    while let Some(option) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{option} needs a value"));
        match option.as_str() {
            "--help" | "-h" => return Ok(None),
            "--pulsar" => pulsar = Some(value()?),
            "--namespace" => namespace = value()?,
            "--auth-method" => method = Some(value()?),
            "--auth-data" => data = Some(value()?),
            other if other.starts_with('-') => return Err(format!("unknown option '{other}'; try --help")),
            name if group.is_none() => group = Some(name.to_string()),
            more => return Err(format!("one group is read at a time; what is '{more}'?")),
        }
    }
    let credentials = match (method, data) {
        (Some(method), Some(data)) => Some((method, data)),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return Err("--auth-method and --auth-data go together".to_string()),
    };
    if namespace.split('/').count() != 2 {
        return Err(format!("--namespace takes TENANT/NAMESPACE, not '{namespace}'"));
    }
    Ok(Some(Args {
        pulsar: pulsar.ok_or("--pulsar HOST:PORT is needed")?,
        namespace,
        group: group.ok_or("which group? Its name comes last")?,
        credentials,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Args>, String> {
        parse(line.split_whitespace().map(str::to_string))
    }

    #[test]
    fn a_broker_and_one_group_are_needed() {
        let args = parsed("--pulsar p:6650 --namespace t/n orders").unwrap().unwrap();
        assert_eq!((args.pulsar.as_str(), args.namespace.as_str(), args.group.as_str()), ("p:6650", "t/n", "orders"));
        for wrong in ["orders", "--pulsar p:1", "--pulsar p:1 a b", "--pulsar p:1 --namespace n a", "--auth-data x a"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
