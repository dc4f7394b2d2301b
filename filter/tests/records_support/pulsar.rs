//! Pulsar's frames and metadata through prost (PulsarApi.proto).

use super::kafka::crc32c;
use prost::Message as _;

#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyValue {
    #[prost(bytes = "vec", required, tag = "1")]
    pub key: Vec<u8>,
    #[prost(bytes = "vec", required, tag = "2")]
    pub value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct EncryptionKeys {
    #[prost(string, required, tag = "1")]
    pub key: String,
    #[prost(bytes = "vec", required, tag = "2")]
    pub value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct MessageMetadata {
    #[prost(string, required, tag = "1")]
    pub producer_name: String,
    #[prost(uint64, required, tag = "2")]
    pub sequence_id: u64,
    #[prost(uint64, required, tag = "3")]
    pub publish_time: u64,
    #[prost(message, repeated, tag = "4")]
    pub properties: Vec<KeyValue>,
    #[prost(bytes = "vec", optional, tag = "6")]
    pub partition_key: Option<Vec<u8>>,
    #[prost(int32, optional, tag = "8")]
    pub compression: Option<i32>,
    #[prost(uint32, optional, tag = "9")]
    pub uncompressed_size: Option<u32>,
    #[prost(int32, optional, tag = "11")]
    pub num_messages_in_batch: Option<i32>,
    #[prost(uint64, optional, tag = "12")]
    pub event_time: Option<u64>,
    #[prost(message, repeated, tag = "13")]
    pub encryption_keys: Vec<EncryptionKeys>,
    #[prost(bool, optional, tag = "17")]
    pub partition_key_b64_encoded: Option<bool>,
    #[prost(int32, optional, tag = "20")]
    pub marker_type: Option<i32>,
    #[prost(uint64, optional, tag = "22")]
    pub txnid_least_bits: Option<u64>,
    #[prost(uint64, optional, tag = "23")]
    pub txnid_most_bits: Option<u64>,
    #[prost(uint64, optional, tag = "24")]
    pub highest_sequence_id: Option<u64>,
    #[prost(bool, optional, tag = "25")]
    pub null_value: Option<bool>,
    #[prost(string, optional, tag = "26")]
    pub uuid: Option<String>,
    #[prost(int32, optional, tag = "27")]
    pub num_chunks_from_msg: Option<i32>,
    #[prost(int32, optional, tag = "28")]
    pub total_chunk_msg_size: Option<i32>,
    #[prost(int32, optional, tag = "29")]
    pub chunk_id: Option<i32>,
    #[prost(bool, optional, tag = "30")]
    pub null_partition_key: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SingleMessageMetadata {
    #[prost(message, repeated, tag = "1")]
    pub properties: Vec<KeyValue>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub partition_key: Option<Vec<u8>>,
    #[prost(int32, required, tag = "3")]
    pub payload_size: i32,
    #[prost(bool, optional, tag = "4")]
    pub compacted_out: Option<bool>,
    #[prost(uint64, optional, tag = "5")]
    pub event_time: Option<u64>,
    #[prost(bool, optional, tag = "6")]
    pub partition_key_b64_encoded: Option<bool>,
    #[prost(uint64, optional, tag = "8")]
    pub sequence_id: Option<u64>,
    #[prost(bool, optional, tag = "9")]
    pub null_value: Option<bool>,
    #[prost(bool, optional, tag = "10")]
    pub null_partition_key: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct BrokerEntryMetadata {
    #[prost(uint64, optional, tag = "1")]
    pub broker_timestamp: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    pub index: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CommandSend {
    #[prost(uint64, required, tag = "1")]
    pub producer_id: u64,
    #[prost(uint64, required, tag = "2")]
    pub sequence_id: u64,
    #[prost(int32, optional, tag = "3")]
    pub num_messages: Option<i32>,
    #[prost(uint64, optional, tag = "6")]
    pub highest_sequence_id: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct BaseCommand {
    #[prost(int32, required, tag = "1")]
    pub r#type: i32,
    #[prost(message, optional, tag = "6")]
    pub send: Option<CommandSend>,
}

/// A SEND frame taken apart, its checksum verified.
pub struct SendFrame {
    pub send: CommandSend,
    pub metadata: MessageMetadata,
    /// As a consumer would receive what follows the command.
    pub section: Vec<u8>,
    pub payload: Vec<u8>,
}

/// Takes the frames that fill `bytes` apart.
pub fn frames(bytes: &[u8]) -> Vec<SendFrame> {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let total = u32_at(rest, 0);
        let (frame, behind) = rest[4..].split_at(total);
        rest = behind;
        let (command, section) = frame[4..].split_at(u32_at(frame, 0));
        let command = BaseCommand::decode(command).unwrap();
        assert_eq!(command.r#type, 6);
        assert_eq!(section[..2], [0x0e, 0x01]);
        assert_eq!(u32_at(section, 2) as u32, crc32c(&section[6..]), "checksum");
        let (metadata, payload) = section[10..].split_at(u32_at(section, 6));
        frames.push(SendFrame {
            send: command.send.unwrap(),
            metadata: MessageMetadata::decode(metadata).unwrap(),
            section: section.to_vec(),
            payload: payload.to_vec(),
        });
    }
    frames
}

impl SendFrame {
    /// The messages of an uncompressed batch.
    pub fn messages(&self) -> Vec<(SingleMessageMetadata, Vec<u8>)> {
        messages(&self.payload, self.metadata.num_messages_in_batch.unwrap())
    }
}

/// The messages of a batch's payload, which they must fill.
pub fn messages(payload: &[u8], count: i32) -> Vec<(SingleMessageMetadata, Vec<u8>)> {
    let mut rest = payload;
    let messages = (0..count)
        .map(|_| {
            let (metadata, behind) = rest[4..].split_at(u32_at(rest, 0));
            let metadata = SingleMessageMetadata::decode(metadata).unwrap();
            let (payload, behind) = behind.split_at(metadata.payload_size as usize);
            rest = behind;
            (metadata, payload.to_vec())
        })
        .collect();
    assert!(rest.is_empty());
    messages
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

pub fn property(key: &str, value: impl AsRef<[u8]>) -> KeyValue {
    KeyValue { key: key.as_bytes().to_vec(), value: value.as_ref().to_vec() }
}

/// Metadata as a Pulsar producer writes it at the least.
pub fn metadata() -> MessageMetadata {
    MessageMetadata {
        producer_name: "pulsar-client".into(),
        sequence_id: 5,
        publish_time: super::NOW as u64,
        ..MessageMetadata::default()
    }
}

/// The payload of a batch.
pub fn batch_payload(messages: &[(SingleMessageMetadata, &[u8])]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (metadata, value) in messages {
        let metadata = SingleMessageMetadata { payload_size: value.len() as i32, ..metadata.clone() };
        payload.extend((metadata.encoded_len() as u32).to_be_bytes());
        metadata.encode(&mut payload).unwrap();
        payload.extend_from_slice(value);
    }
    payload
}

/// An entry as a consumer receives it: with a checksum, without the broker's metadata.
pub fn entry(metadata: &MessageMetadata, payload: &[u8]) -> Vec<u8> {
    let covered = covered(metadata, payload);
    let mut section = vec![0x0e, 0x01];
    section.extend(crc32c(&covered).to_be_bytes());
    section.extend(covered);
    section
}

/// Metadata size, metadata and payload: an entry without a checksum.
pub fn covered(metadata: &MessageMetadata, payload: &[u8]) -> Vec<u8> {
    let mut covered = (metadata.encoded_len() as u32).to_be_bytes().to_vec();
    metadata.encode(&mut covered).unwrap();
    covered.extend_from_slice(payload);
    covered
}

/// Puts the broker's metadata in front of an entry.
pub fn with_broker_metadata(broker: &BrokerEntryMetadata, entry: &[u8]) -> Vec<u8> {
    let mut section = vec![0x0e, 0x02];
    section.extend((broker.encoded_len() as u32).to_be_bytes());
    broker.encode(&mut section).unwrap();
    section.extend_from_slice(entry);
    section
}
