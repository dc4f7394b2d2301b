package isthmus.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.concurrent.TimeUnit;
import org.apache.pulsar.client.api.Message;
import org.apache.pulsar.client.api.MessageId;
import org.apache.pulsar.client.api.PulsarClient;
import org.apache.pulsar.client.api.Reader;
import org.apache.pulsar.client.impl.MessageImpl;

/** Reads a topic from its beginning to its end with Pulsar's own client; "compacted": only what compaction left. */
final class PulsarRead {
    private PulsarRead() {}

    static void run(JsonNode command, Answer out) throws Exception {
        var builder = PulsarClient.builder().serviceUrl(command.get("service_url").asText());
        try (PulsarClient client = builder.build();
            Reader<byte[]> reader = client.newReader().topic(command.get("topic").asText()).startMessageId(MessageId.earliest)
                .readCompacted(Answer.flag(command, "compacted", false)).create()) {
            while (reader.hasMessageAvailable()) {
                Message<byte[]> message = reader.readNext((int) Answer.number(command, "timeout_ms", 30000), TimeUnit.MILLISECONDS);
                if (message == null) {
                    throw new IllegalStateException("a message that is available did not come");
                }
                out.line(Answer.object().set("message", json(message)));
            }
        }
    }

    private static JsonNode json(Message<byte[]> message) {
        var line = Answer.object().put("message_id", message.getMessageId().toString());
        line.put("key", message.hasKey() ? Answer.hex(message.getKeyBytes()) : null);
        line.put("key_is_base64", message.hasBase64EncodedKey());
        line.put("value", isNull(message) ? null : Answer.hex(message.getData()));
        line.put("event_time", message.getEventTime()).put("publish_time", message.getPublishTime());
        line.put("producer", message.getProducerName()).put("sequence", message.getSequenceId());
        message.getIndex().ifPresent(index -> line.put("index", index));
        var properties = line.putObject("properties");
        message.getProperties().forEach(properties::put);
        return line;
    }

    /** Pulsar's client gives an empty payload for null; only the metadata tells them apart. */
    private static boolean isNull(Message<byte[]> message) {
        return message instanceof MessageImpl<byte[]> known ? known.getValue() == null : message.getValue() == null;
    }
}
