package isthmus.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.CreatePartitionsOptions;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;

/** One administrative action; a Kafka error becomes the error of the command, by its name in Kafka's table. */
final class KafkaAdmin {
    private KafkaAdmin() {}

    static void run(JsonNode command, Answer out) throws Exception {
        int timeout = (int) Answer.number(command, "timeout_ms", 20000);
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", command.get("bootstrap").asText());
        config.put("client.id", Answer.text(command, "client_id", "e2e-java"));
        config.put("default.api.timeout.ms", timeout);
        config.put("request.timeout.ms", timeout);
        String topic = Answer.text(command, "topic", null);
        boolean only = Answer.flag(command, "validate_only", false);
        try (Admin admin = Admin.create(config)) {
            switch (command.get("action").asText()) {
                case "create" -> create(admin, topic, command, new CreateTopicsOptions().validateOnly(only), out);
                case "delete" -> admin.deleteTopics(List.of(topic)).all().get();
                case "list" -> {
                    var line = Answer.object();
                    admin.listTopics().names().get().stream().sorted().forEach(line.putArray("topics")::add);
                    out.line(line);
                }
                case "describe" -> describe(admin, topic, out);
                case "partitions" -> admin
                    .createPartitions(Map.of(topic, NewPartitions.increaseTo(command.get("count").asInt())),
                        new CreatePartitionsOptions().validateOnly(only))
                    .all().get();
                case "offsets" -> offsets(admin, new TopicPartition(topic, command.get("partition").asInt()), command.get("at"), out);
                case "cluster" -> cluster(admin, out);
                default -> throw new IllegalArgumentException("unknown action " + command.get("action"));
            }
        }
    }

    private static void create(Admin admin, String topic, JsonNode command, CreateTopicsOptions options, Answer out) throws Exception {
        Optional<Integer> partitions = Optional.ofNullable(command.get("partitions")).map(JsonNode::asInt);
        Optional<Short> replicas = Optional.ofNullable(command.get("replication")).map(node -> (short) node.asInt());
        var result = admin.createTopics(List.of(new NewTopic(topic, partitions, replicas)), options);
        result.all().get();
        out.line(Answer.object().put("partitions", result.numPartitions(topic).get()).put("replication", result.replicationFactor(topic).get()));
    }

    private static void describe(Admin admin, String topic, Answer out) throws Exception {
        var description = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        ObjectNode line = Answer.object().put("topic", description.name()).put("internal", description.isInternal());
        var partitions = line.putArray("partitions");
        for (var info : description.partitions()) {
            partitions.addObject().put("partition", info.partition()).put("leader", info.leader() == null ? -1 : info.leader().id())
                .put("replicas", info.replicas().size()).put("isr", info.isr().size());
        }
        out.line(line);
    }

    private static void offsets(Admin admin, TopicPartition partition, JsonNode at, Answer out) throws Exception {
        OffsetSpec spec = switch (at.asText()) {
            case "earliest" -> OffsetSpec.earliest();
            case "latest" -> OffsetSpec.latest();
            case "max-timestamp" -> OffsetSpec.maxTimestamp();
            default -> OffsetSpec.forTimestamp(at.asLong());
        };
        var found = admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get();
        out.line(Answer.object().put("offset", found.offset()).put("timestamp", found.timestamp()));
    }

    private static void cluster(Admin admin, Answer out) throws Exception {
        var description = admin.describeCluster();
        ObjectNode line = Answer.object().put("cluster_id", description.clusterId().get());
        line.put("controller_is_a_node", description.nodes().get().contains(description.controller().get()));
        var nodes = line.putArray("nodes");
        for (var node : description.nodes().get()) {
            nodes.addObject().put("id", node.id()).put("host", node.host()).put("port", node.port());
        }
        out.line(line);
    }
}
