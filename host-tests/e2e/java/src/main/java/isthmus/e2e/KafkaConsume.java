package isthmus.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Reads assigned partitions until "count" records came, or up to the end the partitions had at the start, or until the deadline. */
final class KafkaConsume {
    private KafkaConsume() {}

    static void run(JsonNode command, Answer out) {
        try (var consumer = new KafkaConsumer<>(config(command), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (JsonNode one : command.get("assign")) {
                partitions.add(partition(one));
            }
            consumer.assign(partitions);
            for (JsonNode one : command.get("assign")) {
                seek(consumer, partition(one), one.get("offset"));
            }
            Map<TopicPartition, Long> ends = command.hasNonNull("count") ? null : consumer.endOffsets(partitions);
            long wanted = Answer.number(command, "count", Long.MAX_VALUE);
            long deadline = System.nanoTime() + Answer.number(command, "timeout_ms", 30000) * 1_000_000;
            Runs runs = Runs.wanted(command, out);
            long seen = 0;
            while (seen < wanted && !(ends != null && reached(consumer, ends))) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("deadline passed after " + seen + " records");
                }
                for (var record : consumer.poll(Duration.ofMillis(100))) {
                    if (seen++ >= wanted) {
                        continue;
                    }
                    if (runs == null) {
                        out.line(Answer.object().set("record", json(record)));
                    } else {
                        runs.add(Records.numberOf(record.value()), record.offset(), record.value().length);
                    }
                }
            }
            if (runs != null) {
                runs.end();
            }
        }
    }

    private static TopicPartition partition(JsonNode one) {
        return new TopicPartition(one.get("topic").asText(), one.get("partition").asInt());
    }

    private static void seek(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, JsonNode offset) {
        if (offset.isNumber()) {
            consumer.seek(partition, offset.asLong());
        } else if (offset.isObject()) {
            var found = consumer.offsetsForTimes(Map.of(partition, offset.get("timestamp").asLong())).get(partition);
            if (found == null) {
                consumer.seekToEnd(List.of(partition));
            } else {
                consumer.seek(partition, found.offset());
            }
        } else if (offset.asText().equals("earliest")) {
            consumer.seekToBeginning(List.of(partition));
        } else {
            consumer.seekToEnd(List.of(partition));
        }
    }

    private static boolean reached(KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, Long> ends) {
        return ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
    }

    private static Map<String, Object> config(JsonNode command) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", command.get("bootstrap").asText());
        config.put("client.id", Answer.text(command, "client_id", "e2e-java"));
        config.put("auto.offset.reset", "none");
        config.put("fetch.min.bytes", (int) Answer.number(command, "min_bytes", 1));
        config.put("fetch.max.wait.ms", (int) Answer.number(command, "max_wait_ms", 200));
        config.put("fetch.max.bytes", (int) Answer.number(command, "max_bytes", 50 << 20));
        config.put("max.partition.fetch.bytes", (int) Answer.number(command, "max_partition_bytes", 1 << 20));
        config.put("default.api.timeout.ms", (int) Answer.number(command, "timeout_ms", 30000));
        config.put("request.timeout.ms", (int) Math.min(15000, Answer.number(command, "timeout_ms", 30000)));
        return config;
    }

    static JsonNode json(ConsumerRecord<byte[], byte[]> record) {
        var line = Answer.object().put("topic", record.topic()).put("partition", record.partition());
        line.put("offset", record.offset()).put("timestamp", record.timestamp());
        line.put("key", Answer.hex(record.key())).put("value", Answer.hex(record.value()));
        var headers = line.putArray("headers");
        for (var header : record.headers()) {
            headers.addArray().add(header.key()).add(Answer.hex(header.value()));
        }
        return line;
    }
}
