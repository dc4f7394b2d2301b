package isthmus.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Produces the records of a command and prints one line for each, as its acknowledgement or failure arrives. */
final class KafkaProduce {
    private KafkaProduce() {}

    static void run(JsonNode command, Answer out) throws Exception {
        var producer = new KafkaProducer<>(config(command), new ByteArraySerializer(), new ByteArraySerializer());
        try {
            if (command.hasNonNull("transactional_id")) {
                producer.initTransactions();
                producer.beginTransaction();
            }
            String topic = command.get("topic").asText();
            Runs runs = Runs.wanted(command, out);
            int index = 0;
            for (JsonNode record : Records.of(command)) {
                int place = index++;
                producer.send(record(topic, record), (metadata, failure) -> acknowledge(out, runs, place, metadata, failure));
            }
            producer.flush();
            if (runs != null) {
                runs.end();
            }
            Thread.sleep(Answer.number(command, "stay_ms", 0));
        } finally {
            producer.close(Duration.ofSeconds(5));
        }
    }

    private static Map<String, Object> config(JsonNode command) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", command.get("bootstrap").asText());
        config.put("client.id", Answer.text(command, "client_id", "e2e-java"));
        config.put("acks", Answer.text(command, "acks", "all"));
        config.put("enable.idempotence", Answer.flag(command, "idempotent", "all".equals(Answer.text(command, "acks", "all"))));
        config.put("compression.type", Answer.text(command, "codec", "none"));
        config.put("batch.size", (int) Answer.number(command, "batch_size", 16384));
        config.put("linger.ms", Answer.number(command, "linger_ms", 20));
        config.put("max.request.size", (int) Answer.number(command, "max_request_size", 1 << 20));
        config.put("delivery.timeout.ms", (int) Answer.number(command, "timeout_ms", 30000));
        config.put("request.timeout.ms", (int) Math.min(15000, Answer.number(command, "timeout_ms", 30000) / 2));
        config.put("max.block.ms", Answer.number(command, "timeout_ms", 30000));
        if (command.hasNonNull("transactional_id")) {
            config.put("transactional.id", command.get("transactional_id").asText());
        }
        return config;
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, JsonNode record) {
        var headers = new RecordHeaders();
        for (JsonNode header : record.path("headers")) {
            headers.add(new RecordHeader(header.get(0).asText(), Answer.bytes(header.get(1))));
        }
        Integer partition = record.hasNonNull("partition") ? record.get("partition").asInt() : null;
        Long timestamp = record.hasNonNull("timestamp") ? record.get("timestamp").asLong() : null;
        return new ProducerRecord<>(topic, partition, timestamp, Answer.bytes(record.get("key")), Answer.bytes(record.get("value")), headers);
    }

    private static void acknowledge(Answer out, Runs runs, int index, RecordMetadata metadata, Exception failure) {
        if (failure == null && runs != null) {
            runs.add(index, metadata.hasOffset() ? metadata.offset() : -1, metadata.serializedValueSize());
            return;
        }
        var line = Answer.object().put("index", index);
        if (failure != null) {
            line.put("error", Answer.errorName(failure)).put("message", String.valueOf(failure.getMessage()));
            out.line(Answer.object().set("failed", line));
            return;
        }
        line.put("partition", metadata.partition()).put("timestamp", metadata.hasTimestamp() ? metadata.timestamp() : -1);
        out.line(Answer.object().set("ack", line.put("offset", metadata.hasOffset() ? metadata.offset() : -1)));
    }
}
