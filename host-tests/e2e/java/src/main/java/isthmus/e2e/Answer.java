package isthmus.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.util.HexFormat;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.common.protocol.Errors;

/** The JSON lines that answer one command. Callbacks of client threads write too, hence the locks. */
final class Answer {
    static final ObjectMapper MAPPER = new ObjectMapper();
    private final PrintStream out;

    Answer(PrintStream out) {
        this.out = out;
    }

    static ObjectNode object() {
        return MAPPER.createObjectNode();
    }

    synchronized void line(JsonNode node) {
        out.println(node);
        out.flush();
    }

    void done() {
        line(object().put("done", true));
    }

    void error(Throwable failure) {
        line(object().put("error", errorName(failure)).put("message", String.valueOf(cause(failure))));
    }

    /** The name in Kafka's error table ("TOPIC_ALREADY_EXISTS"), or the class of an exception that is not in it. */
    static String errorName(Throwable failure) {
        Throwable cause = cause(failure);
        Errors error = Errors.forException(cause);
        return error == Errors.UNKNOWN_SERVER_ERROR ? cause.getClass().getSimpleName() : error.name();
    }

    static Throwable cause(Throwable failure) {
        Throwable cause = failure;
        while ((cause instanceof ExecutionException || cause instanceof CompletionException) && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause;
    }

    static String hex(byte[] bytes) {
        return bytes == null ? null : HexFormat.of().formatHex(bytes);
    }

    static byte[] bytes(JsonNode hex) {
        return hex == null || hex.isNull() ? null : HexFormat.of().parseHex(hex.asText());
    }

    static String text(JsonNode command, String field, String otherwise) {
        JsonNode node = command.get(field);
        return node == null || node.isNull() ? otherwise : node.asText();
    }

    static long number(JsonNode command, String field, long otherwise) {
        JsonNode node = command.get(field);
        return node == null || node.isNull() ? otherwise : node.asLong();
    }

    static boolean flag(JsonNode command, String field, boolean otherwise) {
        JsonNode node = command.get(field);
        return node == null || node.isNull() ? otherwise : node.asBoolean();
    }
}
