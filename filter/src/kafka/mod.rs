//! Kafka's wire protocol: frames, headers, the guard in front of the message types.
