//! The admin REST, as far as the filter asks it (`PersistentTopicsBase.java`, `NamespacesBase.java`; quirks as measured on 4.2.4).

use isthmus::time::Now;
use serde_json::{Value, json};

use super::broker::Partitioned;
use super::entry::Entry;
use super::http_fault::redirect;
use super::log::{Log, Position};
use super::topic::Topic;
use super::{ScriptedBroker, name, parse_section};
use crate::http::{HttpAnswer, HttpRequest};

/// The most partitions one request may ask for (`maxNumPartitionsPerPartitionedTopic` of a careful operator).
const PARTITIONS_MAX: u32 = 10_000;

/// A request taken apart.
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    segments: Vec<String>,
    query: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
}

impl Asked<'_> {
    fn query(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn forced(&self) -> bool {
        self.query("force") == Some("true")
    }

    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(self.body).ok()
    }
}

impl ScriptedBroker {
    /// Answers one request; `None` if a rule says that nothing comes.
    pub fn http(&mut self, request: &HttpRequest, now: Now) -> Option<HttpAnswer> {
        self.advance(now);
        if let Some(struck) = self.http_faults.strike(request) {
            return struck;
        }
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let asked = Asked {
            method: &request.method,
            segments: path.split('/').filter(|segment| !segment.is_empty()).map(percent_decoded).collect(),
            query: query.split('&').filter_map(|pair| pair.split_once('=')).collect(),
            body: &request.body,
        };
        Some(self.route(&asked))
    }

    fn route(&mut self, asked: &Asked<'_>) -> HttpAnswer {
        let segments: Vec<&str> = asked.segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["admin", "v2", "brokers", "health" | "ready"] => {
                HttpAnswer { body: b"ok".to_vec(), ..HttpAnswer::empty(200) }
            }
            ["admin", "v2", "brokers", "configuration", "runtime"] => {
                HttpAnswer::json(200, &self.runtime_configuration())
            }
            ["admin", "v2", "namespaces", tenant, namespace, rest @ ..] => {
                self.on_namespace(asked, &format!("{tenant}/{namespace}"), rest)
            }
            ["admin", "v2", "persistent", tenant, namespace, rest @ ..] => {
                let namespace = format!("{tenant}/{namespace}");
                if !self.namespaces.contains_key(&namespace) {
                    return reason(404, "Namespace does not exist");
                }
                match rest {
                    [] if asked.method == "GET" => HttpAnswer::json(200, &json!(self.topics_in(&namespace))),
                    ["partitioned"] if asked.method == "GET" => {
                        let here = |topic: &&String| name::split(topic).is_some_and(|(of, _)| of == namespace);
                        HttpAnswer::json(200, &json!(self.partitioned.keys().filter(here).collect::<Vec<_>>()))
                    }
                    [local, rest @ ..] => self.on_topic(asked, &format!("persistent://{namespace}/{local}"), rest),
                    [] => reason(405, "Method Not Allowed"),
                }
            }
            _ => reason(404, "Not Found"),
        }
    }

    /// What a superuser sees of `broker.conf`, as far as anybody asks; the rest is as Pulsar is shipped.
    fn runtime_configuration(&self) -> Value {
        json!({
            "defaultRetentionTimeInMinutes": "0",
            "defaultRetentionSizeInMB": "0",
            "brokerServiceCompactionThresholdInBytes": "0",
            "brokerDeduplicationEnabled": self.config.deduplication.to_string(),
            "managedLedgerMaxSizePerLedgerMbytes": "2048",
            "managedLedgerMaxLedgerRolloverTimeMinutes": "240",
            "maxMessageSize": self.config.max_message_bytes.to_string(),
        })
    }

    /// Policies by the name REST gives them.
    fn on_namespace(&mut self, asked: &Asked<'_>, namespace: &str, rest: &[&str]) -> HttpAnswer {
        let Some(policies) = self.namespaces.get_mut(namespace) else {
            return reason(404, "Namespace does not exist");
        };
        let [policy] = rest else {
            return HttpAnswer::json(200, &Value::Object(policies.clone()));
        };
        let field = match *policy {
            "retention" => "retention_policies",
            "deduplication" => "deduplicationEnabled",
            "inactiveTopicPolicies" => "inactive_topic_policies",
            "autoTopicCreation" => "autoTopicCreationOverride",
            "messageTTL" => "message_ttl_in_seconds",
            _ => return reason(404, "Not Found"),
        };
        match (asked.method, asked.json()) {
            ("GET", _) => policies.get(field).map_or(HttpAnswer::empty(204), |value| HttpAnswer::json(200, value)),
            ("POST", Some(value)) => {
                policies.insert(field.to_string(), value);
                HttpAnswer::empty(204)
            }
            ("DELETE", _) => {
                policies.remove(field);
                HttpAnswer::empty(204)
            }
            _ => reason(400, "Bad Request"),
        }
    }

    fn on_topic(&mut self, asked: &Asked<'_>, topic: &str, rest: &[&str]) -> HttpAnswer {
        if self.elsewhere.contains_key(topic) {
            return redirect();
        }
        match (asked.method, rest) {
            ("PUT", []) => self.create_plain(topic, asked),
            ("DELETE", []) => self.delete_plain(topic, asked.forced()),
            (_, ["partitions"]) => self.on_partitions(asked, topic),
            (_, ["properties"]) => self.on_properties(asked, topic),
            (_, [policy @ ("retention" | "compactionThreshold" | "maxMessageSize" | "inactiveTopicPolicies")]) => {
                self.on_topic_policy(asked, topic, policy)
            }
            ("PUT", ["unload"]) if self.topics.contains_key(topic) => {
                self.unload(topic, self.now);
                HttpAnswer::empty(204)
            }
            ("GET", ["subscriptions"]) => self.subscriptions(topic),
            ("DELETE", ["subscription", name]) => self.delete_subscriptions(topic, name, asked.forced()),
            ("GET", ["partitioned-stats"]) => self.partitioned_stats(topic),
            ("GET", ["getMessageIdByIndex"]) => self.message_id_by_index(topic, asked.query("index")),
            ("GET", rest) => match self.log(topic) {
                Some(log) => read_log(log, topic, rest),
                None => reason(404, &format!("Topic {topic} not found")),
            },
            _ => reason(404, &format!("Topic {topic} not found")),
        }
    }

    fn create_plain(&mut self, topic: &str, asked: &Asked<'_>) -> HttpAnswer {
        if self.topics.contains_key(topic) || self.partitioned.contains_key(topic) {
            return reason(409, "This topic already exists");
        }
        self.add_topic(topic);
        if let Some(state) = self.topics.get_mut(topic) {
            state.properties = properties_in(asked.json().as_ref());
        }
        HttpAnswer::empty(204)
    }

    fn delete_plain(&mut self, topic: &str, force: bool) -> HttpAnswer {
        let Some(state) = self.topics.get(topic) else { return reason(404, &format!("Topic {topic} not found")) };
        if !force && state.is_in_use() {
            return reason(412, "Topic has active producers/subscriptions");
        }
        self.delete(topic);
        HttpAnswer::empty(204)
    }

    fn delete(&mut self, topic: &str) {
        self.flush_writes(topic);
        self.close_clients(topic);
        self.topics.remove(topic);
    }

    fn on_partitions(&mut self, asked: &Asked<'_>, topic: &str) -> HttpAnswer {
        match asked.method {
            "GET" => self.show_partitions(topic),
            "PUT" => self.create_partitioned(topic, asked),
            "POST" => self.grow(topic, asked.json().and_then(|count| count.as_i64())),
            "DELETE" => self.delete_partitioned(topic, asked.forced()),
            _ => reason(405, "Method Not Allowed"),
        }
    }

    fn show_partitions(&self, topic: &str) -> HttpAnswer {
        let partitioned = self.partitioned.get(topic).cloned().unwrap_or_default();
        if partitioned.partitions == 0 && !self.topics.contains_key(topic) {
            return reason(404, &format!("Topic {topic} not found"));
        }
        let Partitioned { partitions, properties } = partitioned;
        HttpAnswer::json(200, &json!({ "partitions": partitions, "deleted": false, "properties": properties }))
    }

    /// The body is a number, or an object with properties.
    fn create_partitioned(&mut self, topic: &str, asked: &Asked<'_>) -> HttpAnswer {
        // Wherever it stands, and whatever follows (`AdminResource.validatePartitionedTopicName`).
        if topic.contains("-partition-") {
            return reason(412, "Partitioned Topic Name should not contain '-partition-'");
        }
        let body = asked.json();
        let count = body.as_ref().and_then(|body| body.as_i64().or_else(|| body.get("partitions")?.as_i64()));
        let Some(partitions) = count.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0) else {
            return reason(406, "Number of partitions should be more than 0");
        };
        if partitions > PARTITIONS_MAX {
            return reason(406, "Number of partitions should be less than or equal to 10000");
        }
        if self.topics.contains_key(topic) || self.partitioned.contains_key(topic) {
            return reason(409, "This topic already exists");
        }
        self.create_topic(topic, partitions);
        if let Some(partitioned) = self.partitioned.get_mut(topic) {
            partitioned.properties = properties_in(body.as_ref().and_then(|body| body.get("properties")));
        }
        HttpAnswer::empty(204)
    }

    fn grow(&mut self, topic: &str, count: Option<i64>) -> HttpAnswer {
        let Some(partitioned) = self.partitioned.get(topic) else {
            let plain = self.topics.contains_key(topic);
            return if plain { reason(409, "Topic is not partitioned topic") } else { reason(404, "Topic not found") };
        };
        let partitions = count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
        if partitions <= partitioned.partitions || partitions > PARTITIONS_MAX {
            return reason(422, "Number of new partitions must be greater than existing number of partitions");
        }
        self.create_topic(topic, partitions);
        HttpAnswer::empty(204)
    }

    fn delete_partitioned(&mut self, topic: &str, force: bool) -> HttpAnswer {
        let Some(partitioned) = self.partitioned.get(topic) else {
            return reason(404, &format!("Partitioned Topic not found: {topic}"));
        };
        let partitions: Vec<String> = (0..partitioned.partitions).map(|index| name::partition(topic, index)).collect();
        let mut states = partitions.iter().filter_map(|partition| self.topics.get(partition));
        if !force && states.any(Topic::is_in_use) {
            return reason(412, "Topic has active producers/subscriptions");
        }
        for partition in partitions {
            self.delete(&partition);
        }
        self.partitioned.remove(topic);
        self.topic_policies.remove(topic);
        HttpAnswer::empty(204)
    }

    fn on_properties(&mut self, asked: &Asked<'_>, topic: &str) -> HttpAnswer {
        let properties = match (self.partitioned.get_mut(topic), self.topics.get_mut(topic)) {
            (Some(partitioned), _) => &mut partitioned.properties,
            (None, Some(state)) => &mut state.properties,
            (None, None) => return reason(404, &format!("Topic {topic} not found")),
        };
        match asked.method {
            "GET" => HttpAnswer::json(200, &json!(properties)),
            "PUT" => {
                properties.extend(properties_in(asked.json().as_ref()));
                HttpAnswer::empty(204)
            }
            "DELETE" => {
                asked.query("key").map(|key| properties.remove(key));
                HttpAnswer::empty(204)
            }
            _ => reason(405, "Method Not Allowed"),
        }
    }

    /// Sizes alone.
    fn partitioned_stats(&self, topic: &str) -> HttpAnswer {
        let Some(partitioned) = self.partitioned.get(topic) else {
            return reason(404, &format!("Partitioned Topic not found: {topic}"));
        };
        let names = (0..partitioned.partitions).map(|index| name::partition(topic, index));
        let sizes = names.filter_map(|name| {
            let bytes: usize = self.log(&name)?.entries().map(|(_, entry)| entry.section.len()).sum();
            Some((name, json!({ "storageSize": bytes })))
        });
        HttpAnswer::json(200, &json!({ "partitions": sizes.collect::<serde_json::Map<_, _>>() }))
    }

    /// PIP-415. An index inside the first entry, below that entry's last, has no entry before it to be found by: (-1, -1).
    fn message_id_by_index(&self, topic: &str, index: Option<&str>) -> HttpAnswer {
        if !self.config.message_id_by_index {
            return reason(404, "HTTP 404 Not Found");
        }
        if self.partitioned.contains_key(topic) {
            return reason(405, "Get message ID by index on a partitioned topic is not allowed");
        }
        let Some(log) = self.log(topic) else { return reason(404, &format!("Topic {topic} not found")) };
        let Some(index) = index.and_then(|index| index.parse::<u64>().ok()) else { return reason(400, "Bad Request") };
        let without_index = log.entries().next().is_some_and(|(_, entry)| entry.index.is_none());
        if !self.config.index || without_index {
            return reason(412, "GetMessageIDByIndex is not allowed when broker entry metadata is disabled");
        }
        let containing = log.entries().find(|(_, entry)| entry.index.is_some_and(|last| last >= index));
        let Some((found, entry)) = containing else { return reason(404, "Message not found") };
        let first = log.entries().next().map(|(position, _)| position);
        let id = if Some(found) == first && entry.index > Some(index) { Position::EARLIEST } else { found };
        let partition = name::partition_of(topic).map_or(-1, |(_, partition)| i64::from(partition));
        HttpAnswer::json(200, &json!({ "ledgerId": id.ledger, "entryId": id.entry, "partitionIndex": partition }))
    }
}

/// What one topic's log alone answers.
fn read_log(log: &Log, topic: &str, rest: &[&str]) -> HttpAnswer {
    let partition = name::partition_of(topic).map_or(-1, |(_, partition)| i64::from(partition));
    let id = |position: Position| json!({ "ledgerId": position.ledger, "entryId": position.entry, "partitionIndex": partition });
    match rest {
        ["internalStats"] => HttpAnswer::json(200, &internal_stats(log)),
        ["lastMessageId"] => {
            HttpAnswer::json(200, &id(log.entries().next_back().map_or(Position::EARLIEST, |(at, _)| at)))
        }
        ["messageid", time] => {
            let Ok(time) = time.parse::<u64>() else { return reason(400, "Bad Request") };
            let published =
                |entry: &Entry| parse_section(&entry.section).map_or(0, |(metadata, _)| metadata.publish_time);
            let found = log.entries().find(|(_, entry)| published(entry) >= time).map(|(at, _)| at);
            let end = Position { entry: log.last_confirmed().entry + 1, ..log.last_confirmed() };
            HttpAnswer::json(200, &id(found.unwrap_or(end)))
        }
        ["ledger", ledger, "entry", entry] => {
            let position =
                ledger.parse().ok().zip(entry.parse().ok()).map(|(ledger, entry)| Position { ledger, entry });
            match position.and_then(|position| Some((position, log.at(position)?))) {
                Some((position, entry)) => show_entry(position, entry),
                None => reason(404, "Message not found"),
            }
        }
        _ => reason(404, "Not Found"),
    }
}

/// An open ledger counts no entries yet, and `properties.index` is as old as the last change of ledgers: both as on the real one.
fn internal_stats(log: &Log) -> Value {
    let last = log.ledgers().len() - 1;
    let size = |entries: &[Entry]| entries.iter().map(|entry| entry.section.len()).sum::<usize>();
    let ledgers: Vec<Value> = log
        .ledgers()
        .enumerate()
        .map(|(at, (ledger, entries))| {
            let (count, bytes) = if at == last { (0, 0) } else { (entries.len(), size(entries)) };
            json!({ "ledgerId": ledger, "entries": count, "size": bytes, "offloaded": false, "underReplicated": false })
        })
        .collect();
    let total: usize = log.ledgers().map(|(_, entries)| size(entries)).sum();
    let confirmed = log.last_confirmed();
    let index = log.recorded_index().map_or("-1".to_string(), |index| index.to_string());
    json!({
        "numberOfEntries": log.entries().count(),
        "totalSize": total,
        "currentLedgerEntries": log.current_ledger_entries(),
        "lastConfirmedEntry": format!("{}:{}", confirmed.ledger, confirmed.entry),
        "state": "LedgerOpened",
        "ledgers": ledgers,
        "cursors": {},
        "properties": { "index": index },
    })
}

fn show_entry(position: Position, entry: &Entry) -> HttpAnswer {
    let mut headers = vec![("X-Pulsar-Message-ID".to_string(), format!("{}:{}", position.ledger, position.entry))];
    if let Some(index) = entry.index {
        headers.push(("X-Pulsar-Broker-Entry-METADATA-index".to_string(), index.to_string()));
    }
    let Ok((metadata, payload)) = parse_section(&entry.section) else { return reason(500, "Corrupted message") };
    if let Some(count) = metadata.num_messages_in_batch {
        headers.push(("X-Pulsar-num-batch-message".to_string(), count.to_string()));
    }
    HttpAnswer { status: 200, headers, body: payload.to_vec() }
}

fn properties_in(body: Option<&Value>) -> std::collections::BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let object = body.and_then(Value::as_object).into_iter().flatten();
    object.map(|(key, value)| (key.clone(), text(value))).collect()
}

pub(super) fn reason(status: u16, reason: &str) -> HttpAnswer {
    HttpAnswer::json(status, &json!({ "reason": reason }))
}

fn percent_decoded(segment: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = segment.as_bytes();
    while let [byte, after @ ..] = rest {
        let hex = after.get(..2).filter(|_| *byte == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                decoded.push(value);
                rest = &after[2..];
            }
            None => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
