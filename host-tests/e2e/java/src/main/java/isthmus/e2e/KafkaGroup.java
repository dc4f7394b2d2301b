package isthmus.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A member of a group, until it is told to stop or its input ends. What was consumed and not yet committed is committed on revocation. */
final class KafkaGroup implements ConsumerRebalanceListener {
    private static final Map<String, String> ASSIGNORS = Map.of(
        "range", "org.apache.kafka.clients.consumer.RangeAssignor",
        "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        "sticky", "org.apache.kafka.clients.consumer.StickyAssignor",
        "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Answer out;
    private final Map<TopicPartition, OffsetAndMetadata> uncommitted = new HashMap<>();

    private KafkaGroup(KafkaConsumer<byte[], byte[]> consumer, Answer out) {
        this.consumer = consumer;
        this.out = out;
    }

    static void run(JsonNode command, BufferedReader in, Answer out) {
        Queue<String> orders = orders(in);
        List<String> topics = new ArrayList<>();
        command.get("topics").forEach(topic -> topics.add(topic.asText()));
        try (var consumer = new KafkaConsumer<>(config(command), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            var member = new KafkaGroup(consumer, out);
            consumer.subscribe(topics, member);
            member.work(Answer.text(command, "commit", "batch"), orders);
        }
    }

    /** The lines that come while the member works; "stop" is the last one that is taken from the input. */
    private static Queue<String> orders(BufferedReader in) {
        Queue<String> orders = new ConcurrentLinkedQueue<>();
        var reader = new Thread(() -> {
            String order;
            do {
                try {
                    String line = in.readLine();
                    order = line == null ? "stop" : Answer.MAPPER.readTree(line).get("op").asText();
                } catch (java.io.IOException failure) {
                    order = "stop";
                }
                orders.add(order);
            } while (!order.equals("stop"));
        });
        reader.setDaemon(true);
        reader.start();
        return orders;
    }

    private void work(String policy, Queue<String> orders) {
        while (true) {
            String order = orders.poll();
            if ("stop".equals(order)) {
                return;
            }
            if ("commit".equals(order)) {
                commit(uncommitted);
            }
            for (var record : consumer.poll(Duration.ofMillis(100))) {
                out.line(Answer.object().set("record", KafkaConsume.json(record)));
                uncommitted.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
                if (policy.equals("record")) {
                    commit(uncommitted);
                }
            }
            if (policy.equals("batch")) {
                commit(uncommitted);
            }
        }
    }

    /** A commit that the coordinator refuses is told, and stays to be done; one that fenced this member ends it. */
    private void commit(Map<TopicPartition, OffsetAndMetadata> offsets) {
        if (offsets.isEmpty()) {
            return;
        }
        var sent = new HashMap<>(offsets);
        try {
            consumer.commitSync(sent);
        } catch (FencedInstanceIdException fenced) {
            throw fenced;
        } catch (KafkaException refused) {
            out.line(Answer.object().set("refused", Answer.object().put("error", Answer.errorName(refused))));
            return;
        }
        uncommitted.keySet().removeAll(sent.keySet());
        ObjectNode line = Answer.object();
        var rows = line.putObject("committed").putArray("offsets");
        sent.forEach((at, offset) -> rows.addArray().add(at.topic()).add(at.partition()).add(offset.offset()));
        out.line(line);
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        var line = tell("assigned", partitions);
        var group = consumer.groupMetadata();
        out.line(line.put("generation", group.generationId()).put("member", group.memberId()));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        commit(uncommitted);
        uncommitted.keySet().removeAll(partitions);
        out.line(tell("revoked", partitions));
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        uncommitted.keySet().removeAll(partitions);
        out.line(tell("lost", partitions));
    }

    private static ObjectNode tell(String what, Collection<TopicPartition> partitions) {
        var line = Answer.object();
        var rows = line.putArray(what);
        partitions.forEach(at -> rows.addArray().add(at.topic()).add(at.partition()));
        return line;
    }

    private static Map<String, Object> config(JsonNode command) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", command.get("bootstrap").asText());
        config.put("client.id", Answer.text(command, "client_id", "e2e-java"));
        config.put("group.id", command.get("group").asText());
        if (command.hasNonNull("instance_id")) {
            config.put("group.instance.id", command.get("instance_id").asText());
        }
        if (command.hasNonNull("assignors")) {
            List<String> classes = new ArrayList<>();
            command.get("assignors").forEach(name -> classes.add(ASSIGNORS.get(name.asText())));
            config.put("partition.assignment.strategy", classes);
        }
        config.put("session.timeout.ms", (int) Answer.number(command, "session_ms", 45000));
        config.put("heartbeat.interval.ms", (int) Answer.number(command, "heartbeat_ms", 3000));
        config.put("max.poll.interval.ms", (int) Answer.number(command, "rebalance_ms", 300000));
        config.put("metadata.max.age.ms", (int) Answer.number(command, "metadata_ms", 300000));
        config.put("enable.auto.commit", false);
        config.put("auto.offset.reset", "earliest");
        config.put("fetch.max.wait.ms", 200);
        config.put("max.poll.records", (int) Answer.number(command, "poll_records", 500));
        return config;
    }
}
