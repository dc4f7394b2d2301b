package isthmus.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * Reads one JSON command per line from standard input, answers each with JSON lines, the last of which is {"done": true} or
 * {"error": ..., "message": ...}. The protocol is laid down in host-tests/e2e/README.md and is the same for every client.
 */
public final class Main {
    private Main() {}

    public static void main(String[] args) throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            var out = new Answer(System.out);
            try {
                run(Answer.MAPPER.readTree(line), in, out);
                out.done();
            } catch (Exception failure) {
                out.error(failure);
            }
        }
        System.exit(0); // clients that could not be closed must not hold the process
    }

    private static void run(JsonNode command, BufferedReader in, Answer out) throws Exception {
        switch (command.get("op").asText()) {
            case "produce" -> KafkaProduce.run(command, out);
            case "consume" -> KafkaConsume.run(command, out);
            case "group" -> KafkaGroup.run(command, in, out);
            case "admin" -> KafkaAdmin.run(command, out);
            case "pulsar-write" -> PulsarWrite.run(command, out);
            case "pulsar-read" -> PulsarRead.run(command, out);
            default -> throw new IllegalArgumentException("unknown op " + command.get("op"));
        }
    }
}
