package isthmus.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.nio.charset.StandardCharsets;

/** The records of a command: listed one by one under "records", or made from a rule under "generate". */
final class Records {
    private Records() {}

    static Iterable<JsonNode> of(JsonNode command) {
        JsonNode rule = command.get("generate");
        if (rule == null) {
            return command.get("records");
        }
        List<JsonNode> records = new ArrayList<>();
        int start = (int) Answer.number(rule, "start", 0);
        int count = rule.get("count").asInt();
        for (int i = start; i < start + count; i++) {
            records.add(generated(rule, i));
        }
        return records;
    }

    /** Value: the number as ten digits, filled up with dots to "size" bytes. No key. */
    private static ObjectNode generated(JsonNode rule, int number) {
        byte[] value = new byte[(int) Answer.number(rule, "size", 10)];
        Arrays.fill(value, (byte) '.');
        byte[] digits = String.format("%010d", number).getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(digits, 0, value, 0, digits.length);
        ObjectNode record = Answer.object().put("partition", rule.path("partition").asInt(0));
        record.put("value", Answer.hex(value));
        return record;
    }
}
