package isthmus.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.pulsar.client.api.CompressionType;
import org.apache.pulsar.client.api.MessageId;
import org.apache.pulsar.client.api.MessageRoutingMode;
import org.apache.pulsar.client.api.Producer;
import org.apache.pulsar.client.api.ProducerBuilder;
import org.apache.pulsar.client.api.PulsarClient;
import org.apache.pulsar.client.api.Schema;
import org.apache.pulsar.client.api.TypedMessageBuilder;
import org.apache.pulsar.client.impl.TypedMessageBuilderImpl;

/**
 * Writes the messages of a command with Pulsar's own client. "batch": one batch of all of them; "chunk_bytes": chunked, with that
 * maximal message size; "codec"; "schema": "json" or "avro", for messages that have "name" and "number" instead of a value;
 * "public_key_file": encrypted. A message is {key (text), key_bytes (hex), ordering_key, value (hex or null), properties, event_time};
 * with "count" it says of itself that it is a batch of so many.
 */
final class PulsarWrite {
    /** The payload of the schema'd messages. */
    public static final class Person {
        public String name;
        public int number;
    }

    private PulsarWrite() {}

    static void run(JsonNode command, Answer out) throws Exception {
        try (PulsarClient client = PulsarClient.builder().serviceUrl(command.get("service_url").asText()).build()) {
            switch (Answer.text(command, "schema", "bytes")) {
                case "json" -> write(client, Schema.JSON(Person.class), command, out);
                case "avro" -> write(client, Schema.AVRO(Person.class), command, out);
                default -> write(client, Schema.BYTES, command, out);
            }
        }
    }

    private static <T> void write(PulsarClient client, Schema<T> schema, JsonNode command, Answer out) throws Exception {
        try (Producer<T> producer = configured(client.newProducer(schema), command).create()) {
            List<CompletableFuture<MessageId>> sent = new ArrayList<>();
            for (JsonNode message : command.get("messages")) {
                sent.add(message(producer.newMessage(), message).sendAsync());
            }
            producer.flush();
            for (var id : sent) {
                out.line(Answer.object().put("message_id", id.get(30, TimeUnit.SECONDS).toString()));
            }
        }
    }

    private static <T> ProducerBuilder<T> configured(ProducerBuilder<T> builder, JsonNode command) {
        boolean batch = Answer.flag(command, "batch", false);
        builder.topic(command.get("topic").asText())
            .messageRoutingMode(MessageRoutingMode.SinglePartition)
            .compressionType(CompressionType.valueOf(Answer.text(command, "codec", "none").toUpperCase()))
            .enableBatching(batch);
        if (batch) {
            builder.batchingMaxPublishDelay(5, TimeUnit.SECONDS).batchingMaxBytes(4 << 20).batchingMaxMessages(100_000);
        }
        if (command.hasNonNull("chunk_bytes")) {
            builder.enableChunking(true).chunkMaxMessageSize(command.get("chunk_bytes").asInt());
        }
        if (command.hasNonNull("public_key_file")) {
            String key = Path.of(command.get("public_key_file").asText()).toUri().toString();
            builder.addEncryptionKey("e2e").defaultCryptoKeyReader(key);
        }
        return builder;
    }

    @SuppressWarnings("unchecked")
    private static <T> TypedMessageBuilder<T> message(TypedMessageBuilder<T> builder, JsonNode message) {
        if (message.hasNonNull("name")) {
            var person = new Person();
            person.name = message.get("name").asText();
            person.number = message.get("number").asInt();
            builder.value((T) person);
        } else {
            builder.value((T) Answer.bytes(message.get("value")));
        }
        if (message.hasNonNull("key")) {
            builder.key(message.get("key").asText());
        } else if (message.hasNonNull("key_bytes")) {
            builder.keyBytes(Answer.bytes(message.get("key_bytes")));
        }
        if (message.hasNonNull("ordering_key")) {
            builder.orderingKey(message.get("ordering_key").asText().getBytes(StandardCharsets.UTF_8));
        }
        if (message.hasNonNull("event_time")) {
            builder.eventTime(message.get("event_time").asLong());
        }
        if (message.hasNonNull("count")) {
            ((TypedMessageBuilderImpl<T>) builder).getMetadataBuilder().setNumMessagesInBatch(message.get("count").asInt());
        }
        message.path("properties").fields().forEachRemaining(entry -> builder.property(entry.getKey(), entry.getValue().asText()));
        return builder;
    }
}
