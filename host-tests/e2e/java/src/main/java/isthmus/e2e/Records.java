package isthmus.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.IntStream;

/** The records of a command: listed one by one under "records", or made from a rule under "generate". */
final class Records {
    private static final int DIGITS = 10;

    private Records() {}

    /** They are made one by one as they are asked for, since there may be more of them than fit into memory. */
    static Iterable<JsonNode> of(JsonNode command) {
        JsonNode rule = command.get("generate");
        if (rule == null) {
            return command.get("records");
        }
        int start = (int) Answer.number(rule, "start", 0);
        int end = start + rule.get("count").asInt();
        return () -> IntStream.range(start, end).<JsonNode>mapToObj(number -> generated(rule, number)).iterator();
    }

    /** Value: the number as ten digits, filled up with dots to "size" bytes. No key. */
    private static ObjectNode generated(JsonNode rule, int number) {
        byte[] value = new byte[(int) Answer.number(rule, "size", DIGITS)];
        Arrays.fill(value, (byte) '.');
        byte[] digits = String.format("%010d", number).getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(digits, 0, value, 0, digits.length);
        ObjectNode record = Answer.object().put("partition", rule.path("partition").asInt(0));
        record.put("value", Answer.hex(value));
        return record;
    }

    /** The number in the value of a generated record. */
    static int numberOf(byte[] value) {
        for (int at = DIGITS; at < value.length; at++) {
            if (value[at] != '.') {
                throw new IllegalStateException("byte " + at + " of a generated value is " + value[at]);
            }
        }
        return Integer.parseInt(new String(value, 0, DIGITS, StandardCharsets.US_ASCII));
    }
}
